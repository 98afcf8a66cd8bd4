"""Which logical host an amphora goes to. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from actium_compute.ports import MachineWish
from actium_shared.errors import PermanentError


def choose_host(machine: MachineWish, hosts: Sequence[str], occupied: Iterable[str]) -> str:
    """
    Give the allowed host with the fewest amphorae, the first of several; `occupied` names a host per amphora.

    Raises:
        PermanentError: none is allowed.
    """
    wanted = hosts if machine.host is None else [host for host in hosts if host == machine.host]
    allowed = [host for host in wanted if host not in machine.avoid_hosts]
    if not allowed:
        avoided = ", ".join(sorted(machine.avoid_hosts)) or "none"
        raise PermanentError(
            f"amphora {machine.amphora_id}: no host left; hosts are {', '.join(hosts)}, "
            f"wanted is {machine.host or 'any'}, to be avoided: {avoided}"
        )
    load = Counter(occupied)
    return min(allowed, key=lambda host: load[host])
