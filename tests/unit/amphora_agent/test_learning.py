"""What haproxy's words about its peers say of what it has learnt."""

import pytest

from actium_amphora_agent.learning import knows_all

PEERS = """0x5574fd206120: [23/Nov/2026:00:06:58] id=_appliance disabled=0 flags={flags} resync_timeout=4s task_calls=3
  0x5574fd2093b0: id=9f797772(remote,active) addr=203.0.113.21:1025 last_status=ESTA last_hdshk=0s
        reconnect=4s heartbeat=2s confirm=0 tx_hbt=0 rx_hbt=0 no_hbt=0 new_conn=1 proto_err=0 coll=0
        flags=0x20000200 appctx:0x5574fd2f0690 st0=7 st1=0 task_calls=4
"""


@pytest.mark.parametrize(("flags", "known"), [("0x11", False), ("0x6811", False), ("0x2", False), ("0x33", True)])
def test_only_its_own_section_says_whether_it_still_learns(flags: str, known: bool) -> None:
    assert knows_all(PEERS.format(flags=flags)) is known


def test_who_remembers_nothing_of_clients_has_nothing_to_learn() -> None:
    assert knows_all("\n")
