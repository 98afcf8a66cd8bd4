"""What haproxy says: its statistics, its log, its process list, its answers to commands, its complaints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_amphora_agent import edges, runtime
from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.haproxy import parse_processes, trim
from actium_amphora_agent.statistics import Parser, Sample, Totals, worse

HEADER = (
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,\n"
)


def row(proxy: str, server: str, status: str, *, scur: int = 0, stot: int = 0, bin_: int = 0, ereq: int = 0) -> str:
    return f"{proxy},{server},,,{scur},0,0,{stot},{bin_},20,0,0,{ereq},,,,,{status},1,\n"


def test_listeners_and_pools_are_read_from_the_csv():
    text = HEADER + row("l1", "FRONTEND", "OPEN", scur=2, stot=7, bin_=10, ereq=1)
    text += row("p1:l1", "m1", "UP 1/3") + row("p1:l1", "m2", "no check") + row("p1:l1", "BACKEND", "UP")
    sample = Parser().parse(text + "\n")
    assert sample.listeners == {
        "l1": {
            "status": "OPEN",
            "active_connections": 2,
            "total_connections": 7,
            "bytes_in": 10,
            "bytes_out": 20,
            "request_errors": 1,
        }
    }
    assert sample.pools == {"p1": {"status": "UP", "members": {"m1": "UP 1/3", "m2": "no check"}}}


def test_pool_of_two_listeners_shows_the_worse_of_both():
    text = HEADER + row("p1:l1", "m1", "UP") + row("p1:l1", "BACKEND", "UP")
    text += row("p1:l2", "m1", "DOWN") + row("p1:l2", "BACKEND", "DOWN")
    assert Parser().parse(text).pools == {"p1": {"status": "DOWN", "members": {"m1": "DOWN"}}}


def test_internal_proxies_are_not_shown():
    assert Parser().parse(HEADER + row("_internal", "FRONTEND", "OPEN")).listeners == {}


def test_columns_are_found_by_name():
    moved = "# svname,pxname,status,ereq,bout,bin,stot,scur,\nFRONTEND,l1,FULL,1,2,3,4,5,\n"
    assert Parser().parse(moved).listeners["l1"]["active_connections"] == 5


@pytest.mark.parametrize(
    ("one", "other", "wanted"), [("UP", "DOWN", "DOWN"), ("MAINT", "UP", "MAINT"), ("UP", "no check", "UP")]
)
def test_worse_status_wins(one, other, wanted):
    assert worse(one, other) == worse(other, one) == wanted


def counted(total: int) -> Sample:
    listener = dict.fromkeys(("total_connections", "bytes_in", "bytes_out", "request_errors"), total)
    return Sample({"l1": listener | {"status": "OPEN", "active_connections": 1}}, {})


def test_totals_go_on_over_a_new_worker():
    totals = Totals()
    totals.new_worker(10)
    totals.add(counted(7))
    totals.new_worker(11)
    assert totals.add(counted(9))["l1"]["bytes_in"] == 16
    totals.new_worker(11)
    assert totals.add(counted(9))["l1"]["bytes_in"] == 16


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 50)), max_size=40))
def test_totals_never_shrink(steps):
    totals, last = Totals(), 0
    for worker, count in steps:
        totals.new_worker(worker)
        now = totals.add(counted(count))["l1"]["total_connections"]
        assert now >= last
        last = now


@pytest.mark.parametrize(
    ("line", "member", "status", "reason"),
    [
        (
            'Server p1:l1/m1 is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 2',
            "m1",
            "DOWN",
            'Layer4 connection problem, info: "Connection refused", check duration: 0ms',
        ),
        (
            "Server p1:l1/m1 is UP, reason: Layer7 check passed, code: 200, check duration: 0ms. 3 active.",
            "m1",
            "UP",
            "Layer7 check passed, code: 200, check duration: 0ms",
        ),
        ("Backup Server p1:l1/b1 is DOWN, reason: Layer4 timeout. 0 active", "b1", "DOWN", "Layer4 timeout"),
        ("Server p1:l1/m1 is going DOWN for maintenance. 2 active and 0", "m1", "MAINT", ""),
        (
            "Server p1:l1/m1 is UP/READY (leaving forced maintenance).",
            "m1",
            "UP",
            "leaving forced maintenance",
        ),
        ("Server p1:l1/m2 enters drain state. 2 active", "m2", "DRAIN", ""),
    ],
)
def test_log_line_about_a_server_is_an_edge(line, member, status, reason):
    edge = edges.parse(f"<129>1 2026-11-22T14:08:44.044290+00:00 - haproxy 158 - - {line}\n")
    assert edge == {"kind": "member", "id": member, "pool_id": "p1", "status": status, "reason": reason}


def test_log_line_about_a_frontend_is_an_edge_and_others_are_none():
    assert edges.parse("Paused frontend l1.") == {"kind": "listener", "id": "l1", "status": "STOP", "reason": ""}
    assert edges.parse("Paused frontend GLOBAL.") is None
    assert edges.parse("backend p1:l1 has no server available!") is None


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("set server b/s weight 50", "\n"),
        ("set server b/s state ready", ""),
        ("enable health b/s", "\n"),
        ("add server b/s 10.0.0.1:80", "New server registered.\n"),
        ("del server b/s", "Server deleted.\n"),
        ("set server b/s addr 10.0.0.1 port 81", "no need to change the addr, port changed from '80' to '81' by 'x'\n"),
    ],
)
def test_answers_that_mean_yes(command, answer):
    assert runtime.is_expected(command, answer)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("set server b/s weight 50", "No such server.\n"),
        ("add server b/s 10.0.0.1:80", ""),
        ("add server b/s 10.0.0.1:80", "'server' expects something else\n"),
        ("del server b/s", "Only servers in maintenance mode can be deleted.\n"),
        ("set server b/s addr x", "Invalid address\n"),
        ("set server b/s addr x", ""),
        ("show info", ""),
    ],
)
def test_answers_that_mean_no(command, answer):
    assert not runtime.is_expected(command, answer)


async def test_sending_stops_at_the_first_refusal():
    asked = []

    async def ask(command: str) -> str:
        asked.append(command)
        return "No such server." if "nobody" in command else ""

    commands = [f"set server b/{name} weight 1" for name in ("m1", "nobody", "m2")]
    assert await runtime.send(commands, ask) == (commands[1], "No such server.")
    assert asked == commands[:2]
    assert await runtime.send(commands[:1], ask) is None


def test_processes_are_read_from_the_masters_list():
    text = (
        "#<PID>  <type>  <reloads>  <uptime>  <version>\n"
        "18448           master          3 [failed: 1]   0d00h00m03s     2.6.12\n"
        "# workers\n18522           worker          1               0d00h00m00s     2.6.12\n"
        "# old workers\n18451           worker          2               0d00h00m02s     2.6.12\n# programs\n\n"
    )
    processes = parse_processes(text)
    assert (processes.master, processes.reloads, processes.failed) == (18448, 3, 1)
    assert (processes.workers, processes.leaving) == ((18522,), (18451,))
    with pytest.raises(Trouble):
        parse_processes("")


def test_words_are_the_alerts_without_process_ids():
    words = "[NOTICE]   (1) : haproxy version\n[WARNING]  (1) : hm\n[ALERT]    (1) : config : parsing [x:1] : bad\n"
    assert trim(words) == "config : parsing [x:1] : bad"
    assert trim("[WARNING]  (1) : hm") == "hm"
    assert trim("") == "haproxy ended without a word"


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r"])
def test_what_a_member_answers_to_a_check_breaks_no_line(mark):
    evil = row("p1:l1", "m1", "DOWN").rstrip("\n") + f',"evil{mark}p1:l1,m2,UP",\n'
    assert Parser().parse(HEADER + evil).pools["p1"]["members"] == {"m1": "DOWN"}
