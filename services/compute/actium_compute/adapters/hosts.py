"""Which logical host an amphora goes to. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Protocol

from actium_compute.ports import MachineWish
from actium_shared.errors import PermanentError


class Placed(Protocol):
    """An amphora that has a host, and with whom it belongs together."""

    @property
    def host(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def spread(self) -> str: ...


def choose_host(machine: MachineWish, hosts: Sequence[str], placed: Collection[Placed]) -> str:
    """
    Give the allowed host that it likes best: where the fewest of its own `spread` are, then the fewest of all.

    Raises:
        PermanentError: none is allowed; the message says why of each.
    """
    taken = {other.host for other in placed if other.group == machine.group} if machine.group else set()
    refused = {host: why for host in hosts if (why := _refusal(machine, host, taken))}
    if len(refused) == len(hosts):
        reasons = ", ".join(f"{host} {why}" for host, why in refused.items()) or "there are no hosts"
        raise PermanentError(f"out of resources: no host for amphora {machine.amphora_id}: {reasons}")
    siblings = (
        Counter(other.host for other in placed if other.spread == machine.spread) if machine.spread else Counter()
    )
    load = Counter(map(attrgetter("host"), placed))  # of thousands in a noop world, for each that is booted
    allowed = [host for host in hosts if host not in refused]
    return min(allowed, key=lambda host: (host in machine.prefer_not_hosts, siblings[host], load[host]))


def _refusal(machine: MachineWish, host: str, taken: Collection[str]) -> str:
    if machine.host is not None and machine.host != host:
        return f"is not {machine.host}, where it must be"
    if host in machine.avoid_hosts:
        return "is to be avoided"
    return "has another one of its group" if host in taken else ""
