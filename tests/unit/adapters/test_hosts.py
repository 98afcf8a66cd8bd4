"""Which host an amphora goes to."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_compute.adapters.hosts import choose_host
from actium_shared.errors import PermanentError
from contract.ports.embedded_world import machine_port, machine_wish

HOSTS = ("host-1", "host-2", "host-3")


@dataclass(frozen=True)
class On:
    """An amphora that is there."""

    host: str
    group: str = ""
    spread: str = ""


AMPHORAE = st.lists(st.builds(On, st.sampled_from(HOSTS), st.sampled_from(["", "g"]), st.sampled_from(["", "s"])))


def choose(placed: list[On], **changes: object) -> str:
    return choose_host(machine_wish("a", machine_port("p"), **changes), HOSTS, placed)


@given(st.lists(st.builds(On, st.sampled_from(HOSTS))), st.frozensets(st.sampled_from(HOSTS), max_size=2))
def test_the_emptiest_allowed_host_is_chosen(placed: list[On], avoid: frozenset[str]) -> None:
    occupied = [each.host for each in placed]
    chosen = choose(placed, avoid_hosts=avoid)
    assert chosen not in avoid
    assert occupied.count(chosen) == min(occupied.count(host) for host in HOSTS if host not in avoid)


@given(AMPHORAE, st.frozensets(st.sampled_from(HOSTS)))
def test_two_of_a_group_are_never_together_whatever_else_is_wished(placed: list[On], unloved: frozenset[str]) -> None:
    taken = {each.host for each in placed if each.group == "g"}
    try:
        chosen = choose(placed, group="g", spread="s", prefer_not_hosts=unloved)
    except PermanentError:
        assert taken == set(HOSTS)
    else:
        assert chosen not in taken


@given(AMPHORAE, st.frozensets(st.sampled_from(HOSTS)))
def test_what_is_only_preferred_never_refuses(placed: list[On], unloved: frozenset[str]) -> None:
    chosen = choose(placed, spread="s", prefer_not_hosts=unloved)
    assert chosen not in unloved or unloved == set(HOSTS)


def test_spares_of_a_pool_come_to_different_hosts_however_full_those_are() -> None:
    placed = [On("host-1", spread="s"), On("host-2", spread="s"), *[On("host-3")] * 5]
    assert choose(placed, spread="s") == "host-3"


def test_a_wanted_host_is_chosen_however_full() -> None:
    assert choose([On("host-2")] * 9, host="host-2") == "host-2"


@pytest.mark.parametrize("changes", [{"host": "host-9"}, {"avoid_hosts": frozenset(HOSTS)}])
def test_a_wish_that_no_host_can_meet_is_refused_with_the_hosts_there_are(changes: dict[str, object]) -> None:
    with pytest.raises(PermanentError, match=r"out of resources: .*host-1 .*, host-2 .*, host-3 "):
        choose([], **changes)


def test_who_is_refused_reads_why_of_each_host() -> None:
    placed = [On("host-1", group="g"), On("host-2", group="g")]
    with pytest.raises(PermanentError) as caught:
        choose(placed, group="g", avoid_hosts=frozenset({"host-3"}))
    assert str(caught.value) == (
        "out of resources: no host for amphora a: host-1 has another one of its group, "
        "host-2 has another one of its group, host-3 is to be avoided"
    )
