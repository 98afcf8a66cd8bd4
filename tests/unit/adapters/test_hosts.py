"""Which host an amphora goes to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_compute.adapters.hosts import choose_host
from actium_shared.errors import PermanentError
from contract.ports.embedded_world import machine_port, machine_wish

HOSTS = ("host-1", "host-2", "host-3")


def choose(occupied: list[str], **changes: object) -> str:
    return choose_host(machine_wish("a", machine_port("p"), **changes), HOSTS, occupied)


@given(st.lists(st.sampled_from(HOSTS)), st.frozensets(st.sampled_from(HOSTS), max_size=2))
def test_the_emptiest_allowed_host_is_chosen(occupied: list[str], avoid: frozenset[str]) -> None:
    chosen = choose(occupied, avoid_hosts=avoid)
    assert chosen not in avoid
    assert occupied.count(chosen) == min(occupied.count(host) for host in HOSTS if host not in avoid)


def test_a_wanted_host_is_chosen_however_full() -> None:
    assert choose(["host-2"] * 9, host="host-2") == "host-2"


@pytest.mark.parametrize("changes", [{"host": "host-9"}, {"avoid_hosts": frozenset(HOSTS)}])
def test_a_wish_that_no_host_can_meet_is_refused_with_the_hosts_there_are(changes: dict[str, object]) -> None:
    with pytest.raises(PermanentError, match="host-1, host-2, host-3"):
        choose([], **changes)
