"""A client stays with its member when another amphora answers for the address: by what partners tell each other, or by a cookie."""

import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from actium_shared.embedded import traffic_namespace
from system.outages.drills import Site, dies_silently, haproxy_dies, holder, outage_ms
from system.worlds import await_value

PAIR = {"loadbalancer_topology": "ACTIVE_STANDBY"}
PLACES = range(11, 17)
COOKIE_PORT = 81
PARTNERS_PORT = 1025
TOLD_S = 1.0
"""haproxys that find each other may hang up on each other once; a connection that lasts has told everything by then."""

SURE_S = 6.0
"""So long haproxy waits for what others know before it takes itself for knowing: only then it hands on what it knows."""


@pytest.fixture
def addresses(site: Site) -> Iterator[list[str]]:
    """More addresses of the host on the network of the VIPs."""
    facts = site.world.facts
    range_ = facts.network_with_role("vip").range
    chosen = [str(range_[number]) for number in PLACES]
    for address in chosen:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", facts.host_link], check=True)
    yield chosen
    for address in chosen:
        subprocess.run(["ip", "addr", "del", f"{address}/32", "dev", facts.host_link], check=True)


def sticky(site: Site) -> dict[str, Any]:
    """Make a pair that remembers addresses behind one port, and gives cookies behind another."""
    members = [
        {"address": site.backends[name], "protocol_port": 80, "subnet_id": site.subnets[network]}
        for name, network in (("one", "tenant-a"), ("two", "tenant-b"))
    ]

    def listener(port: int, kind: str) -> dict[str, Any]:
        pool: dict[str, Any] = {"name": kind, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": members}
        pool["session_persistence"] = {"type": kind}
        return {"name": kind, "protocol": "HTTP", "protocol_port": port, "default_pool": pool}

    listeners = [listener(80, "SOURCE_IP"), listener(COOKIE_PORT, "HTTP_COOKIE")]
    return site.serving(site.flavor(**PAIR), listeners=listeners)


def ask(lb: dict[str, Any], client: str, *, port: int = 80, cookie: str = "") -> httpx.Response:
    headers = {"Cookie": cookie} if cookie else {}
    with httpx.Client(transport=httpx.HTTPTransport(local_address=client), timeout=5) as http:
        return http.get(f"http://{lb['vip_address']}:{port}/", headers=headers)


def in_touch(amphora_id: str, *, for_s: float) -> None:
    """Wait until it has been in touch with its partner for so long; after a start haproxy takes up to 5 s to find it."""
    question = ["ss", "-Htn", "state", "established", f"( sport = :{PARTNERS_PORT} or dport = :{PARTNERS_PORT} )"]
    since, known = time.monotonic(), ""

    def lasts() -> bool:
        nonlocal since, known
        found = subprocess.run(
            ["ip", "netns", "exec", traffic_namespace(amphora_id), *question],
            capture_output=True,
            text=True,
            check=True,
        )
        links = "".join(sorted(" ".join(line.split()[2:]) for line in found.stdout.splitlines()))
        if links != known:
            since, known = time.monotonic(), links
        return bool(known) and time.monotonic() - since > for_s

    await_value(lasts, bool, 20)


class Clients:
    """Some are known by their addresses, others by their cookies."""

    def __init__(self, lb: dict[str, Any], addresses: list[str]) -> None:
        self._lb, self._one = lb, addresses[0]
        first = {client: ask(lb, client).text.strip() for client in addresses}
        # Those of one member, then those of the other: who remembers nothing would have them take turns.
        self._members = dict(sorted(first.items(), key=lambda pair: pair[1]))
        given = [ask(lb, self._one, port=COOKIE_PORT) for _ in range(2)]
        self._cookies = {answer.text.strip(): answer.headers["set-cookie"].partition(";")[0] for answer in given}
        assert set(first.values()) == set(self._cookies) == {"one", "two"}

    def all_stay(self) -> bool:
        by_address = {client: ask(self._lb, client).text.strip() for client in self._members}
        by_cookie = {name: self._of(cookie) for name, cookie in self._cookies.items()}
        return by_address == self._members and by_cookie == {name: {name} for name in self._cookies}

    def _of(self, cookie: str) -> set[str]:
        return {ask(self._lb, self._one, port=COOKIE_PORT, cookie=cookie).text.strip() for _ in range(2)}


def test_clients_stay_with_their_members_when_the_partner_takes_over(site: Site, addresses: list[str]) -> None:
    lb = sticky(site)
    site.whole(lb["id"], 2)
    clients, before = Clients(lb, addresses), holder(site, lb)
    in_touch(before, for_s=TOLD_S)
    outage_ms(lb, lambda: haproxy_dies(site, before))
    assert holder(site, lb) != before
    assert clients.all_stay()


@pytest.mark.skipif(
    "TESTS_LONG" not in os.environ, reason="haproxy is sure of what it knows only after a while: in the long run"
)
def test_a_newcomer_learns_of_clients_before_it_takes_over(site: Site, addresses: list[str]) -> None:
    lb = sticky(site)
    both = {each["id"] for each in site.whole(lb["id"], 2)}
    clients, dead = Clients(lb, addresses), holder(site, lb)
    in_touch(dead, for_s=SURE_S)
    outage_ms(lb, lambda: dies_silently(site, dead), lambda: site.whole(lb["id"], 2, without=[dead]))
    (heir,) = both - {dead}
    assert holder(site, lb) == heir
    assert clients.all_stay()
    in_touch(heir, for_s=TOLD_S)
    outage_ms(lb, lambda: haproxy_dies(site, heir))
    await_value(lambda: holder(site, lb), lambda now: now != heir, 10)
    assert clients.all_stay()
