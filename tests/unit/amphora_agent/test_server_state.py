"""Which verdicts on members outlive a reload."""

import pytest

from actium_amphora_agent import server_state
from actium_amphora_agent.server_state import NOTHING

HEADER = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight ...\n"
DEAD, ALIVE = "0", "2"
CHECK = "check inter 1s fall 3 rise 2"


def shown(name: str = "m1", *, runs: str = DEAD, admin: str = "0", uweight: int = 9, iweight: int = 1) -> str:
    tail = "3 8 2 0 6 0 0 0 - 81 - 0 0 - - 0"
    return f"{HEADER}2 p1:l1 1 {name} 10.0.0.1 {runs} {admin} {uweight} {iweight} {tail}\n\n"


def config(server: str, *, checks: str = "option httpchk", other: str = "balance roundrobin") -> bytes:
    return f"""
global
    nbthread 1
frontend l1
    default_backend p1:l1
backend p1:l1
    {other}
    {checks}
    server m1 10.0.0.1:81 {server}
backend p2:l1
    server m2 10.0.0.2:81 weight 5 {CHECK}
""".encode()


SAME = config(f"weight 1 {CHECK}")


def carried_over(state: str, after: bytes) -> bytes:
    return server_state.carried_over(server_state.dead(state), after)


def weights(state: bytes) -> list[str]:
    return state.decode().splitlines()[1].split()[7:9]


def test_a_dead_member_stays_dead():
    assert carried_over(shown(), SAME).splitlines()[1].startswith(b"2 p1:l1 1 m1 10.0.0.1 0 0 1 1 3 8 2 0 6 ")


@pytest.mark.parametrize(
    "state",
    [shown(runs=ALIVE), shown(admin="1"), shown(admin="4"), shown("unknown"), HEADER, "", "nonsense\n"],
)
def test_nothing_else_is_told(state):
    assert carried_over(state, SAME) == NOTHING


def test_the_new_files_weight_wins_over_the_one_that_the_last_worker_had():
    heavy = config(f"weight 7 {CHECK}")
    assert weights(carried_over(shown(), heavy)) == ["7", "7"]
    assert weights(carried_over(shown(uweight=9), SAME)) == ["1", "1"]


@pytest.mark.parametrize(
    "after",
    [
        config(f"weight 1 backup {CHECK}"),
        config(f"weight 1 {CHECK}", other="balance leastconn"),
        config(f"weight 1 {CHECK} port 99"),
        config(f"weight 1 {CHECK}", checks="http-check expect status 204"),
    ],
)
def test_neither_other_words_nor_other_checks_revive_it(after):
    assert carried_over(shown(), after) != NOTHING


@pytest.mark.parametrize(
    "after",
    [
        config("weight 1"),  # no checks: nobody would ever find it alive again
        config(f"weight 1 {CHECK} disabled"),
        SAME.replace(b"10.0.0.1:81", b"10.0.0.1:82"),
        SAME.replace(b"server m1", b"server m9"),
        b"",
    ],
)
def test_one_that_is_checked_no_more_or_is_elsewhere_gets_a_new_chance(after):
    assert carried_over(shown(), after) == NOTHING
