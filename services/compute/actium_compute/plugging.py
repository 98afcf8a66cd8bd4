"""Which ports are plugged into an amphora: on record before they are, and until after they are not."""

from collections.abc import Iterable

from actium_compute.acquaintance import Acquaintances
from actium_compute.facts import Facts
from actium_compute.ports import MachinePort, Machines
from actium_compute.read_model import queries
from actium_shared.events.network import Port
from actium_shared.ids import PortId
from actium_shared.read_model import Database

PLUG_TIMEOUT_S = 10.0


class Plugging:
    """Plugs and unplugs; both may be repeated after a crash at any point."""

    def __init__(self, machines: Machines, database: Database, acquaintances: Acquaintances) -> None:
        self._machines = machines
        self._database = database
        self._acquaintances = acquaintances

    async def plug(self, facts: Facts, wanted: Iterable[PortId]) -> None:
        """Plug in the ports, all of which exist."""
        plugged = self._acquaintances.of(facts.amphora_id).plugged
        new = sorted(set(wanted) - plugged)
        if unrecorded := set(new) - facts.attached:
            await self._database.write(
                lambda connection: queries.add_attachments(connection, facts.amphora_id, sorted(unrecorded))
            )
        for port_id in new:
            port = machine_port(facts.ports[port_id])
            await self._machines.attach(facts.amphora_id, port, timeout_s=PLUG_TIMEOUT_S)
            plugged.add(port_id)

    async def unplug_all_but(self, facts: Facts, wanted: frozenset[PortId]) -> None:
        """Unplug the rest; the agent has let go of it."""
        plugged = self._acquaintances.of(facts.amphora_id).plugged
        if not (rest := sorted((facts.attached | plugged) - wanted)):
            return
        for port_id in rest:
            await self._machines.detach(facts.amphora_id, port_id, timeout_s=PLUG_TIMEOUT_S)
            plugged.discard(port_id)
        await self._database.write(lambda connection: queries.remove_attachments(connection, facts.amphora_id, rest))


def machine_port(port: Port) -> MachinePort:
    return MachinePort(port_id=port.id, mac=port.mac, address=port.address, prefix_length=port.prefix_length)
