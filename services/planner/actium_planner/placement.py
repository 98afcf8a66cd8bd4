"""
Which appliance carries a load balancer. Pure.

Each has its own, unless its flavor lets several of a project share one, or its tags say where it must and must not be:
`colocate:<name>`, `apolocate:<name>`. Names are a project's own.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from actium_planner.validation.addresses import Network, parsed_network
from actium_planner.validation.refusals import invalid
from actium_shared.ids import ApplianceId, LoadBalancerId, SubnetId, derived_id
from actium_shared.message import Rejected
from actium_shared.wishes import LoadBalancer

COLOCATE, APOLOCATE = "colocate:", "apolocate:"

Ranges = Mapping[SubnetId, Network]
"""What a load balancer reaches without a router, by subnet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A load balancer and where it is, or shall be; `hosts` are those of its amphorae. One that is `leaving` has no say."""

    balancer: LoadBalancer
    appliance_id: ApplianceId
    ranges: Ranges = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    leaving: bool = False


def place(load_balancer_id: LoadBalancerId) -> ApplianceId:
    """Give a load balancer's own appliance; always the same for the same one."""
    return ApplianceId(derived_id("appliance", load_balancer_id))


def names(tags: Iterable[str], prefix: str) -> frozenset[str]:
    """Give what is named in tags that begin so."""
    return frozenset(tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix))


def is_particular(balancer: LoadBalancer) -> bool:
    """Say whether it matters to it where others are."""
    return _room(balancer) > 1 or any(tag.startswith((COLOCATE, APOLOCATE)) for tag in balancer.tags)


def vip_ranges(balancer: LoadBalancer) -> dict[SubnetId, Network]:
    """Give the ranges of its addresses."""
    vips = (balancer.vip, *balancer.additional_vips)
    found = {vip.subnet_id: parsed_network(f"{vip.address}/{vip.prefix_length}") for vip in vips}
    return _known(found)


def member_ranges(subnets: Iterable[SubnetId], cidrs: Mapping[SubnetId, str]) -> dict[SubnetId, Network]:
    """Give the ranges of members' subnets, as far as they are known."""
    return _known({subnet_id: parsed_network(cidrs[subnet_id]) for subnet_id in subnets if subnet_id in cidrs})


def _known(found: Mapping[SubnetId, Network | None]) -> dict[SubnetId, Network]:
    return {subnet_id: network for subnet_id, network in found.items() if network is not None}


def choose(balancer: LoadBalancer, ranges: Ranges, others: Sequence[Seat]) -> ApplianceId | Rejected | None:
    """Give the appliance that a new load balancer shall share, nothing for its own, or why it can be nowhere."""
    refusal = _contradiction(balancer)
    if refusal is not None:
        return refusal
    wanted = sorted({seat.appliance_id for seat in _named(balancer, COLOCATE, others)})
    if not wanted:
        return _with_room(balancer, ranges, others)
    if len(wanted) > 1:
        return _refuse("its colocate: tags name load balancers that are on different appliances")
    here = [seat for seat in others if seat.appliance_id == wanted[0]]
    misfit = why_not(balancer, ranges, here, shunned=shunned_hosts([balancer], others))
    return wanted[0] if misfit is None else _refuse(f"it cannot be where its colocate: tags want it: {misfit}")


def why_not(
    balancer: LoadBalancer, ranges: Ranges, here: Sequence[Seat], *, shunned: Collection[str] = ()
) -> str | None:
    """Give why a load balancer cannot share an appliance with those that are there, if it cannot."""
    misfit = next(filter(None, (_misfit(balancer, ranges, seat, shunned) for seat in here)), None)
    room = _room(balancer)
    full = f"its flavor lets {room} share an appliance, and {len(here)} do already"
    return misfit or (full if len(here) >= room else None)


def _misfit(balancer: LoadBalancer, ranges: Ranges, seat: Seat, shunned: Collection[str]) -> str | None:
    """Give why it cannot be where that one is."""
    other, there = seat.balancer, f"load balancer {seat.balancer.id} there"
    if _kind(balancer) != _kind(other):
        return f"{there} has another project, flavor or availability zone"
    if balancer.vip.network_id != other.vip.network_id:
        return f"the VIP of {there} is on another network"
    if not seat.leaving and (shared := _shared(balancer, other, APOLOCATE)):
        return f"{there} has the tag {APOLOCATE}{shared}, too"
    if met := sorted(seat.hosts.intersection(shunned)):
        return f"its amphorae are on {met[0]}, as those of a load balancer are that it shall be apart from"
    overlap = overlapping(ranges, seat.ranges)
    return f"subnet {overlap[0]} overlaps with subnet {overlap[1]} of {there}" if overlap else None


def _kind(balancer: LoadBalancer) -> tuple[str | None, ...]:
    return balancer.project_id, balancer.flavor_id, balancer.availability_zone


def retagged(balancer: LoadBalancer, before: LoadBalancer, own: Seat, others: Sequence[Seat]) -> Rejected | None:
    """Give why a load balancer cannot have these tags where it is, if it cannot: it is not moved for them."""
    refusal = _contradiction(balancer)
    if refusal is not None or balancer.tags == before.tags:
        return refusal
    fresh = tuple(tag for tag in balancer.tags if tag not in before.tags)
    elsewhere = [seat for seat in _tagged(fresh, COLOCATE, others) if seat.appliance_id != own.appliance_id]
    if elsewhere:
        return _refuse(f"load balancer {elsewhere[0].balancer.id} with that colocate: tag is on another appliance")
    for seat in _tagged(fresh, APOLOCATE, others):
        if seat.appliance_id == own.appliance_id:
            return _refuse(f"load balancer {seat.balancer.id} with that apolocate: tag is on the same appliance")
        if seat.hosts & own.hosts:
            return _refuse(f"load balancer {seat.balancer.id} with that apolocate: tag is on the same host")
    return None


def shunned_hosts(residents: Sequence[LoadBalancer], others: Sequence[Seat]) -> tuple[str, ...]:
    """Give the hosts that amphorae of an appliance must not be on: those of whom its load balancers are apolocated from."""
    ids = {balancer.id for balancer in residents}
    apart = [seat for each in residents for seat in _named(each, APOLOCATE, others) if seat.balancer.id not in ids]
    return tuple(sorted(frozenset().union(*(seat.hosts for seat in apart))))


def overlapping(ranges: Ranges, others: Ranges) -> tuple[SubnetId, SubnetId] | None:
    """Give two subnets of which one hides the other, if there are such."""
    for subnet_id, network in sorted(ranges.items()):
        for other_id, other in sorted(others.items()):
            if subnet_id != other_id and network.version == other.version and network.overlaps(other):
                return subnet_id, other_id
    return None


def _with_room(balancer: LoadBalancer, ranges: Ranges, others: Sequence[Seat]) -> ApplianceId | None:
    """Give the fullest appliance that it may share."""
    if _room(balancer) <= 1:
        return None
    shunned = shunned_hosts([balancer], others)
    staying = Counter(seat.appliance_id for seat in others if not seat.leaving)
    for appliance_id in sorted(staying, key=lambda each: (-staying[each], each)):
        here = [seat for seat in others if seat.appliance_id == appliance_id]
        if why_not(balancer, ranges, here, shunned=shunned) is None:
            return appliance_id
    return None


def _contradiction(balancer: LoadBalancer) -> Rejected | None:
    together, apart = names(balancer.tags, COLOCATE), names(balancer.tags, APOLOCATE)
    if "" in together | apart:
        return _refuse("a colocate: or apolocate: tag has to say a name behind the colon")
    both = sorted(together & apart)
    if both:
        return _refuse(f"it cannot be both with and apart from those named '{both[0]}'")
    if together and _room(balancer) <= 1:
        return _refuse("colocate: needs a flavor whose load_balancers_per_appliance is above 1")
    return None


def _room(balancer: LoadBalancer) -> int:
    return int(str(balancer.flavor.get("load_balancers_per_appliance", 1)))


def _named(balancer: LoadBalancer, prefix: str, others: Sequence[Seat]) -> list[Seat]:
    return _tagged(balancer.tags, prefix, others)


def _tagged(tags: Iterable[str], prefix: str, others: Sequence[Seat]) -> list[Seat]:
    """Give those that have one of these tags, too."""
    wanted = names(tags, prefix)
    return [seat for seat in others if not seat.leaving and wanted & names(seat.balancer.tags, prefix)]


def _shared(one: LoadBalancer, other: LoadBalancer, prefix: str) -> str | None:
    return min(names(one.tags, prefix) & names(other.tags, prefix), default=None)


def _refuse(why: str) -> Rejected:
    return invalid(f"The tags cannot be met: {why}.", field="tags")
