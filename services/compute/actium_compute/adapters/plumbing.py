"""The links of one amphora: which of its ports is where, and moving them in and out. Blocking."""

import re

from actium_compute.ports import MachinePort
from actium_shared import embedded
from actium_shared.embedded import links, namespaces
from actium_shared.embedded.deadline import Deadline
from actium_shared.errors import RetryableError

_ID = re.compile(r"amphora-(.+?)(-traffic)?$")

_QUIET = {
    "ipv4/ip_forward": "0",  # a new namespace has the host's value
    "ipv6/conf/default/addr_gen_mode": "1",  # no link-local addresses, and none of the traffic about them
    "ipv6/conf/default/accept_dad": "0",
}


class Plumbing:
    """Moves the machine ends of ports between the fabric and amphorae."""

    def __init__(self, fabric_namespace: str) -> None:
        self._fabric = fabric_namespace

    def prepare(self, amphora_id: str, port: MachinePort, deadline: Deadline) -> None:
        """Make both namespaces, with the management port in the first."""
        for name in _both(amphora_id):
            namespaces.create(name, deadline)
            namespaces.set_kernel(name, _QUIET)
        management, link = embedded.amphora_namespace(amphora_id), embedded.MANAGEMENT_INTERFACE
        if link not in namespaces.links(management):
            self._move_in(amphora_id, port.port_id, deadline, name=link)
        lines = [f"addr replace {port.address}/{port.prefix_length} brd + dev {link}", f"link set {link} up"]
        links.change(management, ["link set lo up", *lines], deadline)
        links.change(embedded.traffic_namespace(amphora_id), ["link set lo up"], deadline)

    def attach(self, amphora_id: str, port_id: str, deadline: Deadline) -> None:
        """Move the port into the amphora's management namespace; its agent moves it on."""
        if self._find(amphora_id, port_id, deadline) is None:
            self._move_in(amphora_id, port_id, deadline, name=embedded.machine_end(port_id))

    def detach(self, amphora_id: str, port_id: str, deadline: Deadline) -> None:
        """Move the port back to where it is parked, without its addresses."""
        if found := self._find(amphora_id, port_id, deadline):
            namespace, link = found
            move = f"link set {link} netns {namespaces.FOLDER / self._fabric} name {embedded.machine_end(port_id)}"
            links.change(namespace, [f"link set {link} down", move], deadline)

    def cut(self, amphora_id: str, deadline: Deadline) -> None:
        """Set the fabric's ends of all the amphora's ports down."""
        lines = [f"link set {end} down" for end in sorted(self._fabric_ends(amphora_id, deadline))]
        links.change(self._fabric, lines, deadline)

    def amphorae(self) -> frozenset[str]:
        """Give the amphorae of any world that have a namespace on this machine."""
        return frozenset(_ID.sub(r"\1", path.name) for path in namespaces.FOLDER.glob("amphora-*"))

    def is_ours(self, amphora_id: str, deadline: Deadline) -> bool:
        """Tell whether a port of the amphora leads into this fabric; other worlds have theirs."""
        return bool(self._fabric_ends(amphora_id, deadline))

    def _fabric_ends(self, amphora_id: str, deadline: Deadline) -> frozenset[str]:
        aliases = [link.alias for name in _both(amphora_id) for link in links.veths(name, deadline)]
        return namespaces.links(self._fabric).intersection(embedded.fabric_end(alias) for alias in aliases)

    def _move_in(self, amphora_id: str, port_id: str, deadline: Deadline, *, name: str) -> None:
        end, namespace = embedded.machine_end(port_id), embedded.amphora_namespace(amphora_id)
        if not namespaces.exists(namespace):
            raise RetryableError(f"amphora {amphora_id} does not exist")
        if end not in namespaces.links(self._fabric):
            raise RetryableError(f"port {port_id} for amphora {amphora_id} is not in the fabric")
        links.change(self._fabric, [f"link set {end} netns {namespaces.FOLDER / namespace} name {name}"], deadline)

    def _find(self, amphora_id: str, port_id: str, deadline: Deadline) -> tuple[str, str] | None:
        management, traffic = _both(amphora_id)
        if (end := embedded.machine_end(port_id)) in namespaces.links(management):
            return management, end
        # The agent gives it another name, and an alias that ends as its name here did.
        names = [link.name for link in links.veths(traffic, deadline) if embedded.machine_end(link.alias) == end]
        return (traffic, names[0]) if names else None


def _both(amphora_id: str) -> tuple[str, str]:
    return embedded.amphora_namespace(amphora_id), embedded.traffic_namespace(amphora_id)
