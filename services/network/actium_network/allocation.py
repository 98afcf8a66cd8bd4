"""
Which address a VIP or a port gets, and which wishes are refused. Pure: nothing is read or written here.

Addresses travel as text in their canonical form, so that equal ones are equal strings.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain, islice
from types import MappingProxyType

from actium_network.ports import ExistingPort
from actium_shared.commands.network import AdditionalVip, PortWish, ReserveVip, SettlePorts
from actium_shared.embedded import mac_of
from actium_shared.events.network import Network, Port, Subnet, VipReserved
from actium_shared.ids import NetworkId, PortId, SubnetId, derived_id
from actium_shared.message import Reason, Rejected
from actium_shared.wishes import Vip

MANAGEMENT = "management"
ADDITIONAL = "additional_vips"

ADDRESSES_PER_LOAD_BALANCER = 2
"""The VIP and its amphora's own: a subnet that is chosen for the caller has room for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """
    The networks that a wish may touch. `is_taken`: an address in use, promised, or of the world's own; it may be looked up.

    `free_from`: by subnet, the number of an address below which none is free, as far as that is known; it is kept up here.
    """

    networks: tuple[Network, ...] = ()
    is_taken: Callable[[SubnetId, str], bool]
    free_from: MutableMapping[SubnetId, int] = field(default_factory=dict)

    def find(self, subnet_id: SubnetId) -> tuple[Network, Subnet] | None:
        """Give a subnet with its network."""
        pairs = ((network, subnet) for network in self.networks for subnet in network.subnets)
        return next((pair for pair in pairs if pair[1].id == subnet_id), None)

    def find_management(self, network_id: NetworkId | None) -> tuple[Network, Subnet] | None:
        """Give where amphorae are managed: on this network, or on any that is meant for it."""
        managed = (network for network in self.networks if network.role == MANAGEMENT)
        return next(
            ((each, subnet) for each in managed if network_id in (None, each.id) for subnet in each.subnets), None
        )

    def free(self, subnet: Subnet) -> Iterator[str]:
        """Give the addresses that may be handed out, lowest first; those below `free_from` last, as it may be too high."""
        pool = pool_of(subnet)
        begin = max(pool.first, self.free_from.get(subnet.id, 0))
        found = (
            number
            for number in chain(range(begin, pool.last + 1), range(pool.first, min(begin, pool.last + 1)))
            if number not in pool.left_out and not self.is_taken(subnet.id, pool.written(number))
        )
        lowest = next(found, None)
        if lowest is not None:
            self.free_from[subnet.id] = lowest
            yield pool.written(lowest)
            yield from map(pool.written, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The addresses of a subnet that may be handed out, as numbers, both ends included."""

    version: int
    first: int
    last: int
    left_out: frozenset[int]

    def written(self, number: int) -> str:
        """Write an address; for IPv4 by hand, as `ipaddress` takes ten times as long and there may be many to pass by."""
        if self.version == 4:
            return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return str(IPv6Address(number))


@lru_cache(maxsize=1024)
def pool_of(subnet: Subnet) -> Pool:
    """Give what of a subnet may be handed out."""
    cidr = ip_network(subnet.cidr)
    low, high = int(cidr[0]), int(cidr[-1])
    first = int(ip_address(subnet.pool_start)) if subnet.pool_start else low
    last = int(ip_address(subnet.pool_end)) if subnet.pool_end else high
    left_out = {int(ip_address(subnet.gateway))} if subnet.gateway else set()
    if cidr.version == 4 and cidr.prefixlen <= 30:
        left_out |= {low, high}
    elif cidr.version == 6 and cidr.prefixlen <= 126:
        left_out.add(low)
    return Pool(version=cidr.version, first=max(first, low), last=min(last, high), left_out=frozenset(left_out))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What is known of a load balancer's VIP. `state`: claimed (not on the log yet), reserved or deleted (no VIP)."""

    state: str
    project_id: str
    vip: Vip | None
    additional_vips: tuple[Vip, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What an order for ports means now: ports to have (in order), wishes that cannot be met, ports to be rid of."""

    wanted: tuple[Port, ...]
    impossible: Mapping[PortId, str]
    surplus: tuple[PortId, ...]


def reserve_vip(
    command: ReserveVip,
    space: Space,
    known: Reservation | None,
    *,
    port: ExistingPort | None = None,
    additional_ports: Mapping[PortId, ExistingPort] = MappingProxyType({}),
) -> tuple[VipReserved, ...] | Rejected:
    """
    Decide on a VIP and the additional ones; nothing when they are reserved already as wished.

    `port` and `additional_ports` are those that the command names and somebody else made.
    """
    if known is None:
        return _reserve(command, space, port, additional_ports)
    if known.vip is None:
        return _conflict(f"Load balancer {command.load_balancer_id} has been deleted.", "id")
    if not _fits(command, known.project_id, known.vip) or not _fits_additional(command, known.additional_vips):
        has = f"{known.vip.address} of subnet {known.vip.subnet_id}"
        return _conflict(f"Load balancer {command.load_balancer_id} has {has}; this asks for another VIP.", "id")
    return () if known.state == "reserved" else (_reserved(command, known.vip, known.additional_vips),)


def settle_ports(order: SettlePorts, space: Space, *, present: Mapping[PortId, Port | None]) -> Settlement:
    """Give each wished port its address; one that is `present` keeps what it has (None: it failed and has nothing)."""
    wanted: dict[PortId, Port] = {}
    impossible: dict[PortId, str] = {}
    given: dict[SubnetId, set[str]] = {}
    for wish in order.ports:
        port = present.get(wish.id) or _new_port(wish, space, given)
        if isinstance(port, str):
            impossible[wish.id] = port
            continue
        wanted[wish.id] = port
        given.setdefault(port.subnet_id, set()).add(port.address)
    surplus = tuple(port_id for port_id in present if port_id not in wanted and port_id not in impossible)
    return Settlement(wanted=tuple(wanted.values()), impossible=impossible, surplus=surplus)


def contains(subnet: Subnet, address: str) -> bool:
    """Tell whether this is an address of the subnet, whoever may use it."""
    return _is_in(address, ip_network(subnet.cidr))


def find_subnet(subnet_id: SubnetId, space: Space, *, field: str = "subnet_id") -> tuple[Network, Subnet] | Rejected:
    """Give a subnet that tenants may use, with its network; the management network does not exist for them."""
    found = space.find(subnet_id)
    if found is None or found[0].role == MANAGEMENT:
        return _invalid(f"Subnet {subnet_id} not found.", field)
    return found


def _reserve(
    command: ReserveVip, space: Space, port: ExistingPort | None, additional_ports: Mapping[PortId, ExistingPort]
) -> tuple[VipReserved, ...] | Rejected:
    vip = _choose(command, space, port)
    if isinstance(vip, Rejected):
        return vip
    additional = _choose_additional(command, space, vip, ports=additional_ports)
    return additional if isinstance(additional, Rejected) else (_reserved(command, vip, additional),)


def _choose(command: ReserveVip, space: Space, port: ExistingPort | None) -> Vip | Rejected:
    if command.port_id is not None and port is None:
        return _invalid(f"Port {command.port_id} not found.", "vip_port_id")
    found = (
        find_subnet(SubnetId(port.subnet_id), space, field="vip_port_id") if port else _choose_subnet(command, space)
    )
    if isinstance(found, Rejected):
        return found
    network, subnet = found
    address = _choose_address(port.address if port else command.address, subnet, space)
    if isinstance(address, Rejected):
        return address
    return Vip(
        address=address,
        prefix_length=ip_network(subnet.cidr).prefixlen,
        port_id=PortId(port.port_id if port else derived_id("vip-port", command.load_balancer_id)),
        subnet_id=subnet.id,
        network_id=network.id,
        gateway=subnet.gateway,
    )


def _choose_subnet(command: ReserveVip, space: Space) -> tuple[Network, Subnet] | Rejected:
    if command.network_id is None:
        if command.subnet_id is None:
            return _invalid("One of vip_port_id, vip_network_id and vip_subnet_id is needed.", "vip_subnet_id")
        return find_subnet(command.subnet_id, space, field="vip_subnet_id")
    network = next((network for network in space.networks if network.id == command.network_id), None)
    if network is None or network.role == MANAGEMENT:
        return _invalid(f"Network {command.network_id} not found.", "vip_network_id")
    if command.subnet_id is None:
        return _choose_in_network(network, command.address, space)
    subnet = next((subnet for subnet in network.subnets if subnet.id == command.subnet_id), None)
    if subnet is None:
        return _invalid(f"Subnet {command.subnet_id} is not of network {network.id}.", "vip_subnet_id")
    return network, subnet


def _choose_in_network(network: Network, address: str | None, space: Space) -> tuple[Network, Subnet] | Rejected:
    if address is not None:
        for subnet in network.subnets:
            if contains(subnet, address):
                return network, subnet
        return _invalid(f"No subnet of network {network.id} contains {address}.", "vip_address")
    for subnet in sorted(network.subnets, key=lambda subnet: ip_network(subnet.cidr).version):
        if len(list(islice(space.free(subnet), ADDRESSES_PER_LOAD_BALANCER))) == ADDRESSES_PER_LOAD_BALANCER:
            return network, subnet
    return _conflict(
        f"No subnet of network {network.id} has {ADDRESSES_PER_LOAD_BALANCER} free addresses.", "vip_network_id"
    )


def _choose_address(
    asked: str | None, subnet: Subnet, space: Space, *, fields: tuple[str, str] = ("vip_subnet_id", "vip_address")
) -> str | Rejected:
    if asked is None:
        address = next(space.free(subnet), None)
        if address is None:
            return _conflict(f"Subnet {subnet.id} has no free address.", fields[0])
        return address
    if problem := _problem(asked, subnet):
        return _invalid(f"{asked} cannot be a VIP: {problem}.", fields[1])
    address = str(ip_address(asked))
    if space.is_taken(subnet.id, address):
        return _conflict(f"{address} of subnet {subnet.id} is in use.", fields[1])
    return address


def _problem(address: str, subnet: Subnet) -> str | None:
    cidr = ip_network(subnet.cidr)
    if not _is_in(address, cidr):
        return f"it is not an address of {cidr} (subnet {subnet.id})"
    canonical = ip_address(address)
    if canonical.version == 4 and cidr.prefixlen <= 30 and canonical in (cidr[0], cidr[-1]):
        return f"it is the network or broadcast address of {cidr}"
    if canonical.version == 6 and canonical == cidr[0] and cidr.prefixlen <= 126:
        return f"it is the routers' address of {cidr}"
    if subnet.gateway and canonical == ip_address(subnet.gateway):
        return "it is the subnet's gateway"
    return None


def _is_in(address: str, cidr: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(address) in cidr
    except ValueError:
        return False


def _canonical(address: str | None) -> str | None:
    """Give an address as it is written here; what is none is left as it is."""
    try:
        return None if address is None else str(ip_address(address))
    except ValueError:
        return address


def _fits(command: ReserveVip, project_id: str, vip: Vip) -> bool:
    asked = (
        (command.project_id, project_id),
        (command.subnet_id, vip.subnet_id),
        (command.network_id, vip.network_id),
        (_canonical(command.address), vip.address),
        (command.port_id, vip.port_id),
    )
    return all(wish is None or wish == has for wish, has in asked)


def _reserved(command: ReserveVip, vip: Vip, additional: tuple[Vip, ...]) -> VipReserved:
    return VipReserved(
        load_balancer_id=command.load_balancer_id, project_id=command.project_id, vip=vip, additional_vips=additional
    )


def _choose_additional(
    command: ReserveVip, space: Space, first: Vip, *, ports: Mapping[PortId, ExistingPort]
) -> tuple[Vip, ...] | Rejected:
    """Give each wished VIP its address. `ports` are those that somebody made and the command names."""
    vips: list[Vip] = []
    for wish in command.additional:
        if wish.subnet_id in {first.subnet_id, *(other.subnet_id for other in vips)}:
            return _invalid(f"Subnet {wish.subnet_id} is named twice; each VIP needs a subnet of its own.", ADDITIONAL)
        vip = _choose_one_more(command, wish, space, first, ports=ports)
        if isinstance(vip, Rejected):
            return vip
        vips.append(vip)
    return tuple(vips)


def _fits_additional(command: ReserveVip, has: Sequence[Vip]) -> bool:
    """Whether these are the VIPs that the command wishes for."""
    wishes = command.additional
    return len(wishes) == len(has) and all(
        wish.subnet_id == vip.subnet_id
        and _canonical(wish.address) in (None, vip.address)
        and wish.port_id in (None, vip.port_id)
        for wish, vip in zip(wishes, has, strict=True)
    )


def _choose_one_more(
    command: ReserveVip, wish: AdditionalVip, space: Space, first: Vip, *, ports: Mapping[PortId, ExistingPort]
) -> Vip | Rejected:
    found = find_subnet(wish.subnet_id, space, field=ADDITIONAL)
    if isinstance(found, Rejected):
        return found
    network, subnet = found
    if network.id != first.network_id:
        return _invalid(f"Subnet {subnet.id} is not of network {first.network_id}, where the first VIP is.", ADDITIONAL)
    asked = _asked(wish, subnet, ports)
    if isinstance(asked, Rejected):
        return asked
    address = _choose_address(asked, subnet, space, fields=(ADDITIONAL, ADDITIONAL))
    if isinstance(address, Rejected):
        return address
    return Vip(
        address=address,
        prefix_length=ip_network(subnet.cidr).prefixlen,
        port_id=wish.port_id or PortId(derived_id("vip-port", command.load_balancer_id, subnet.id)),
        subnet_id=subnet.id,
        network_id=network.id,
        gateway=subnet.gateway,
    )


def _asked(wish: AdditionalVip, subnet: Subnet, ports: Mapping[PortId, ExistingPort]) -> str | None | Rejected:
    """Give the address that is wished for; a port that is named has one already."""
    if wish.port_id is None:
        return wish.address
    if (port := ports.get(wish.port_id)) is None:
        return _invalid(f"Port {wish.port_id} not found.", ADDITIONAL)
    if port.subnet_id != subnet.id or _canonical(wish.address) not in (None, port.address):
        return _invalid(
            f"Port {wish.port_id} has {port.address} of subnet {port.subnet_id}, not what is wished for.", ADDITIONAL
        )
    return port.address


def _new_port(wish: PortWish, space: Space, given: Mapping[SubnetId, set[str]]) -> Port | str:
    found = space.find_management(wish.network_id) if wish.subnet_id is None else space.find(wish.subnet_id)
    if found is None:
        which = f" {wish.network_id}" if wish.network_id else ""
        return f"there is no subnet {wish.subnet_id}" if wish.subnet_id else f"there is no management network{which}"
    network, subnet = found
    address = next((free for free in space.free(subnet) if free not in given.get(subnet.id, ())), None)
    if address is None:
        return f"out of addresses in subnet {subnet.name} ({subnet.id})"
    return Port(
        id=wish.id,
        network_id=network.id,
        subnet_id=subnet.id,
        address=address,
        prefix_length=ip_network(subnet.cidr).prefixlen,
        mac=mac_of(wish.id),
        mtu=network.mtu,
        gateway=subnet.gateway,
    )


def _invalid(detail: str, field: str) -> Rejected:
    return Rejected(reason=Reason.INVALID, detail=detail, field=field)


def _conflict(detail: str, field: str) -> Rejected:
    return Rejected(reason=Reason.CONFLICT, detail=detail, field=field)
