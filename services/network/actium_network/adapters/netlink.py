"""
Networks as bridges in a namespace of their own, ports as veth pairs: the embedded world on one Linux machine.

    fabric namespace    br-<network>, and into it: rt-<network> (router), hl-<network> (host), fab<digits> (ports)
    router namespace    to-<network>, one leg per routed network; at-<network> where VIPs are routed (`routed`)
    this process's own  the host link, with the host's address on one of the networks

Nothing else on the host is touched. `ip link` shows a port's id as the alias of both its ends.
"""

import asyncio
import os
import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from actium_network.adapters.fabric_file import FabricPlan, NetworkPlan
from actium_network.adapters.listed import ListedNetworks
from actium_network.adapters.routed import Router
from actium_network.ports import Network, PortWish, Routing
from actium_shared import embedded
from actium_shared.embedded import links, namespaces
from actium_shared.embedded.deadline import Deadline
from actium_shared.embedded.threads import to_the_end
from actium_shared.errors import PermanentError, RetryableError

ENSURE_TIMEOUT_S = 30.0
"""Generous: it is done once, while everything else on the machine is starting too."""

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_PORT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_QUIET = {
    "ipv4/ip_forward": "0",  # first: writing it resets others. A new namespace has the host's value
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
    "bridge/bridge-nf-call-arptables": "0",
}
_IPV6_ROUTER = {
    # Addresses are there at once, as they are with IPv4, and nobody's advertisement adds another one.
    **{f"ipv6/conf/{which}/{name}": "0" for which in ("default", "all") for name in ("accept_dad", "accept_ra")},
    **{f"ipv6/conf/{which}/disable_ipv6": "0" for which in ("default", "all")},
    "ipv6/conf/all/forwarding": "1",
}
_ROUTER = _QUIET | {"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0"}


class NetlinkFabric(ListedNetworks):
    """`NetworkDriver` by bridges and veth pairs; needs root. Implements the promises of `ports`."""

    def __init__(self, plan: FabricPlan) -> None:
        self._plan = plan
        self._by_id = {embedded.network_id(plan.world, network.name): network for network in plan.networks}
        self._router = Router(plan.namespace, plan.router)
        self._lock = asyncio.Lock()  # changes are looked up before they are made: one at a time

    async def ensure(self) -> None:
        await self._alone(partial(self._ensure, Deadline(ENSURE_TIMEOUT_S, f"fabric {self._plan.namespace}")))

    async def networks(self) -> Sequence[Network]:
        return [network.as_network(self._plan.world) for network in self._plan.networks]

    async def create_port(self, port: PortWish, *, timeout_s: float) -> None:
        if problem := _problem(port):
            raise PermanentError(f"port {port.port_id}: {problem}")
        if port.network_id not in self._by_id:
            raise PermanentError(f"port {port.port_id}: the fabric has no network {port.network_id}")
        await self._alone(partial(self._create_port, port, Deadline(timeout_s, f"port {port.port_id}")))

    async def delete_port(self, port_id: str, *, timeout_s: float) -> None:
        deadline = Deadline(timeout_s, f"removal of port {port_id}")
        await self._alone(partial(self._delete_port, embedded.fabric_end(port_id), deadline))

    async def ports(self) -> Sequence[str]:
        listing = partial(links.veths, self._plan.namespace, Deadline(ENSURE_TIMEOUT_S, "list of ports"))
        ends = await asyncio.to_thread(listing)
        return [end.alias or end.name for end in ends if end.name == embedded.fabric_end(end.name)]

    async def route(self, routing: Routing, *, timeout_s: float) -> None:
        if (network := self._by_id.get(routing.network_id)) is None:
            raise PermanentError(f"routes to {routing.via}: the fabric has no network {routing.network_id}")
        deadline = Deadline(timeout_s, f"routes to {routing.via}")
        await self._alone(partial(self._router.settle, network, routing.via, routing.addresses, deadline))

    async def routings(self) -> Sequence[Routing]:
        return await asyncio.to_thread(self._routings, Deadline(ENSURE_TIMEOUT_S, "list of routes"))

    async def _alone(self, work: Callable[[], None]) -> None:
        async with self._lock:
            await to_the_end(work)

    def _ensure(self, deadline: Deadline) -> None:
        has_ipv6 = any(network.routed and network.ipv6 for network in self._plan.networks)
        router = _ROUTER | _IPV6_ROUTER if has_ipv6 else _ROUTER
        for name, settings in ((self._plan.router, router), (self._plan.namespace, _QUIET)):
            namespaces.create(name, deadline)
            namespaces.set_kernel(name, settings)
        present = namespaces.links(self._plan.namespace)
        fabric = [line for network in self._plan.networks for line in self._fabric_lines(network, present)]
        links.change(self._plan.namespace, ["link set lo up", *fabric], deadline)
        legs = [line for network in self._plan.networks for line in _leg_lines(network)]
        links.change(self._plan.router, ["link set lo up", *legs], deadline)
        for network in self._plan.networks:
            if network.host:
                self._ensure_host_link(network, deadline)

    def _fabric_lines(self, network: NetworkPlan, present: frozenset[str]) -> list[str]:
        bridge, mtu = embedded.bridge(network.name), network.mtu
        # By itself it takes the least address of its ports, another one as they come and go; and the controller is at it.
        address = embedded.mac_of(embedded.network_id(self._plan.world, network.name))
        lines = [f"link set {bridge} mtu {mtu} address {address} up"]
        if bridge not in present:
            lines.insert(0, f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        if network.controller:
            lines.append(f"addr replace {network.controller}/{network.prefix_length} brd + dev {bridge}")
        if network.routed:
            end = f"rt-{network.name}"
            if end not in present:
                lines.append(_veth(end, network, peer=f"to-{network.name}", namespace=self._plan.router))
            lines.append(f"link set {end} up")
        return lines

    def _ensure_host_link(self, network: NetworkPlan, deadline: Deadline) -> None:
        link, end = self._plan.host_link, f"hl-{network.name}"
        if end not in namespaces.links(self._plan.namespace):
            if link in namespaces.links(None):
                raise RetryableError(f"link {link} exists on this host and is not of fabric {self._plan.namespace}")
            home = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
            lines = [_veth(end, network, peer=link, namespace=home), f"link set {end} up"]
            links.change(self._plan.namespace, lines, deadline)
        settings = {"accept_ra": "0", "disable_ipv6": "0" if network.ipv6 else "1"}
        for path, value in ((Path(f"/proc/sys/net/ipv6/conf/{link}/{name}"), settings[name]) for name in settings):
            if path.exists():
                path.write_text(value)
        lines = [
            f"link set {link} alias {self._plan.namespace}",
            f"addr replace {network.host}/{network.prefix_length} brd + dev {link}",
            f"link set {link} up",
        ]
        if network.ipv6:
            lines.append(f"addr replace {network.ipv6.host}/{network.ipv6.prefix_length} dev {link} nodad")
        # The alias tells `down` whose it is; the fabric's end once more, should we have been killed in between.
        links.change(None, lines, deadline)
        links.change(self._plan.namespace, [f"link set {end} up"], deadline)

    def _create_port(self, port: PortWish, deadline: Deadline) -> None:
        end, machine = embedded.fabric_end(port.port_id), embedded.machine_end(port.port_id)
        network = self._by_id[port.network_id]
        present = namespaces.links(self._plan.namespace)
        lines = []
        if end not in present:
            lines.append(f"{_veth(end, network, peer=machine)} address {port.mac}")
        elif self._is_whole(end, port, deadline):
            return  # untouched: a fenced port must not come up again
        if end not in present or machine in present:
            lines.append(f"link set {machine} alias {port.port_id}")
        # Last, and one request: with the alias the port is whole.
        lines.append(f"link set {end} alias {port.port_id} up")
        links.change(self._plan.namespace, lines, deadline)

    def _is_whole(self, end: str, port: PortWish, deadline: Deadline) -> bool:
        alias = next(link.alias for link in links.veths(self._plan.namespace, deadline) if link.name == end)
        if alias not in ("", port.port_id):
            raise PermanentError(f"port {port.port_id}: its link {end} is taken by port {alias}")
        return bool(alias)

    def _delete_port(self, end: str, deadline: Deadline) -> None:
        if end in namespaces.links(self._plan.namespace):
            links.delete(self._plan.namespace, [end], deadline)

    def _routings(self, deadline: Deadline) -> list[Routing]:
        found: dict[tuple[str, str], list[str]] = {}
        for network_id, network in self._by_id.items():
            for address, via in self._router.routes(network, deadline).items():
                found.setdefault((network_id, via), []).append(address)
        return [Routing(network_id=of, via=via, addresses=tuple(sorted(some))) for (of, via), some in found.items()]


def _veth(end: str, network: NetworkPlan, *, peer: str, namespace: str | None = None) -> str:
    pair = f"link add {end} mtu {network.mtu} master {embedded.bridge(network.name)} type veth"
    return f"{pair} peer name {peer} mtu {network.mtu}" + (f" netns {namespace}" if namespace else "")


def _leg_lines(network: NetworkPlan) -> list[str]:
    leg = f"to-{network.name}"
    if not network.routed:
        return []
    lines = [f"addr replace {network.gateway}/{network.prefix_length} brd + dev {leg}", f"link set {leg} up"]
    if network.ipv6:
        lines.append(f"addr replace {network.ipv6.gateway}/{network.ipv6.prefix_length} dev {leg} nodad")
    return lines


def _problem(port: PortWish) -> str | None:
    # The values become part of command lines; what is not exactly an id or a MAC stops here.
    if not _PORT_ID.fullmatch(port.port_id):
        return f"port_id {port.port_id!r} is not a UUID in lower case"
    if not _MAC.fullmatch(port.mac):
        return f"mac {port.mac!r} is not six pairs of hexadecimal digits in lower case with colons"
    return None
