"""Whatever is rendered for UDP, the real nft takes it, with what the agent adds to it, twice in a row."""

import subprocess
from collections.abc import Iterator

import pytest

from actium_amphora_agent import balancing, table
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import ListenerId, MemberId
from actium_shared.wishes import SessionPersistence
from builders import POOL, TENANT, an_id, health_monitor, member
from system.namespaces import ip
from unit.compute.test_nftables import OTHER, files, udp, udp_listener, udp_pool
from unit.compute.wishes import order

pytestmark = pytest.mark.root
KEPT = SessionPersistence(type="SOURCE_IP", persistence_timeout_s=60, persistence_granularity="255.255.0.0")
MANY = tuple(member(id=MemberId(an_id(str(number))), protocol_port=1000 + number) for number in range(300))
BOTH = (member(subnet_id=TENANT), member(id=OTHER, address="fd00::1", weight=7, backup=True))


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    name = f"nft-{an_id('nft')[:8]}-{id(object())}"
    ip("netns", "add", name)
    yield name
    ip("netns", "del", name)


@pytest.mark.parametrize(
    "wish",
    [
        udp(),
        udp(*BOTH, dual=True, session_persistence=KEPT, listener_fields={"connection_limit": 10}),
        udp(*BOTH, dual=True, lb_algorithm="SOURCE_IP", listener_fields={"allowed_cidrs": ("10.0.0.0/8", "::/1")}),
        udp(*BOTH, dual=True, lb_algorithm="SOURCE_IP_PORT", monitor=health_monitor(type="UDP-CONNECT")),
        udp(*MANY, lb_algorithm="SOURCE_IP", session_persistence=KEPT),
        udp(admin_state_up=False),
        order(
            udp_pool(),
            listeners=(
                udp_listener(),
                udp_listener(id=ListenerId(an_id("second")), protocol_port=54, default_pool_id=None),
            ),
        ),
    ],
)
def test_nft_takes_it_over_whatever_was_there(wish: ConfigureAmphora, namespace: str) -> None:
    rendered = files(wish)
    spec = balancing.parse(rendered["checks.json"].encode())
    nft(namespace, rendered["nftables.rules"], "-c")
    for down in (set[tuple[str, str]](), {(POOL, target) for target in spec.pools.get(POOL, {})}):
        present = table.present_in(nft(namespace, "list ruleset\n", "-t"))
        text = table.transaction(rendered["nftables.rules"], balancing.picks(spec, down), present=present)
        nft(namespace, text)


def nft(namespace: str, text: str, *options: str) -> str:
    command = ["ip", "netns", "exec", namespace, "nft", *options, "-f", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return done.stdout
