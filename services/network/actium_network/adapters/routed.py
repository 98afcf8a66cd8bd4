"""
VIPs that are no address on any wire: a route for each in the router, to whoever has the routing address. Blocking.

Neighbours on the network believe that the VIP is among them, and ask who has it: the router answers for it, on a leg of its own
beside the one that routes. On one and the same leg the kernel answers for nobody, and would send redirects.

    router namespace    to-<network>   the way to the routing address
                        at-<network>   answers for the VIPs; its other end in the fabric is px-<network>
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from actium_network.adapters import gratuitous
from actium_network.adapters.fabric_file import NetworkPlan
from actium_shared import embedded
from actium_shared.embedded import links, namespaces
from actium_shared.embedded.deadline import Deadline
from actium_shared.errors import PermanentError

OURS = "172"
"""The routing protocol whose routes are ours: nobody's by the kernel's list, so that no daemon claims them."""

Routes = Mapping[str, str]
"""Address -> via whom."""


class Router:
    """The routes of one router; who calls sees to it that nobody else does at the same time."""

    def __init__(self, fabric: str, router: str) -> None:
        self._fabric, self._router = fabric, router

    def settle(self, network: NetworkPlan, via: str, wanted: Sequence[str], deadline: Deadline) -> None:
        """
        Have exactly these addresses led to `via`, a neighbour on the network.

        Raises:
            PermanentError: no router is on the network, or one of them is no address.
        """
        via, wanted = _canonical(via), [_canonical(address) for address in wanted]
        if not network.routed:
            raise PermanentError(f"network {network.name} has no router that could lead a VIP to an amphora")
        if wanted:
            self._ensure_leg(network, deadline)
        before = self.routes(network, deadline)
        gone = [address for address, through in before.items() if through == via and address not in wanted]
        after = {address: through for address, through in before.items() if address not in gone}
        after |= dict.fromkeys(wanted, via)
        proxies = self._proxies(network, deadline)
        lines = [f"neigh del proxy {address} dev at-{network.name}" for address in sorted(proxies - after.keys())]
        lines += [f"route del {_route(address, via, network)}" for address in gone]
        lines += [f"route replace {_route(address, via, network)}" for address in wanted if before.get(address) != via]
        fresh = sorted(after.keys() - proxies)
        lines += [f"neigh replace proxy {address} dev at-{network.name}" for address in fresh]
        links.change(self._router, lines, deadline)
        self._tell(network, fresh)

    def routes(self, network: NetworkPlan, deadline: Deadline) -> dict[str, str]:
        """Give what is routed on a network, by us."""
        rows = self._shown(("-4", "-6"), "route", "show", "proto", OURS, deadline=deadline)
        return {str(row["dst"]): str(row["gateway"]) for row in rows if row.get("dev") == f"to-{network.name}"}

    def _proxies(self, network: NetworkPlan, deadline: Deadline) -> set[str]:
        rows = self._shown(("-4", "-6"), "neigh", "show", "proxy", deadline=deadline)
        return {str(row["dst"]) for row in rows if row.get("dev") == f"at-{network.name}"}

    def _shown(self, families: Iterable[str], *question: str, deadline: Deadline) -> list[dict[str, object]]:
        return [row for family in families for row in links.shown(self._router, family, *question, deadline=deadline)]

    def _ensure_leg(self, network: NetworkPlan, deadline: Deadline) -> None:
        leg, end = f"at-{network.name}", f"px-{network.name}"
        if leg not in namespaces.links(self._router):
            pair = f"link add {end} mtu {network.mtu} master {embedded.bridge(network.name)} type veth"
            links.change(self._fabric, [f"{pair} peer name {leg} mtu {network.mtu} netns {self._router}"], deadline)
        settings = {
            f"ipv4/conf/{leg}/arp_ignore": "1",  # for the router's own addresses the other leg answers
            f"ipv6/conf/{leg}/proxy_ndp": "1",
            **{f"{family}/neigh/{leg}/proxy_delay": "0" for family in ("ipv4", "ipv6")},
        }
        namespaces.set_kernel(self._router, settings)
        links.change(self._fabric, [f"link set {end} up"], deadline)
        links.change(self._router, [f"link set {leg} up"], deadline)

    def _tell(self, network: NetworkPlan, fresh: Iterable[str]) -> None:
        """An address that an amphora had yesterday is still taken to be there by who spoke to it then."""
        with namespaces.entered(self._router):
            for address in fresh:
                gratuitous.tell(f"at-{network.name}", address)


def _route(address: str, via: str, network: NetworkPlan) -> str:
    return f"{address}/{128 if ':' in address else 32} via {via} dev to-{network.name} proto {OURS}"


def _canonical(address: str) -> str:
    # It becomes part of a command line, and is compared with what `ip` shows.
    try:
        return str(ip_address(address))
    except ValueError as exc:
        raise PermanentError(f"{address!r} is no address that could be routed") from exc
