"""Ports: for each amphora exactly those that the newest order names. Promised in the table, made, then told on the log."""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import sqlalchemy as sa

from actium_network import allocation
from actium_network.journal import Journal, ports_subject
from actium_network.making import PortMaker
from actium_network.orders import context_of
from actium_network.read_model import queries
from actium_network.read_model.queries import Kept, StoredPort
from actium_shared.commands.network import SettlePorts
from actium_shared.events.network import PortCreated, PortDeleted, PortFailed, PortsSettled
from actium_shared.ids import PortId
from actium_shared.message import CommandCause, Event
from actium_shared.read_model import Database


class Settlements:
    """Works on orders for ports. `allocating` is held wherever free addresses are chosen."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        maker: PortMaker,
        kept: Kept,
        allocating: asyncio.Lock,
    ) -> None:
        self._database = database
        self._journal = journal
        self._maker = maker
        self._kept = kept
        self._allocating = allocating

    async def work(self, amphora_id: str) -> None:
        """Answer the order for this amphora's ports, if there is one that waits."""
        stored = await self._database.read(
            lambda connection: queries.stored_order(connection, SettlePorts.TYPE, amphora_id)
        )
        if stored is not None and isinstance(stored.order, SettlePorts):
            with context_of(stored):
                await self._settle(stored.order)

    async def _settle(self, order: SettlePorts) -> None:
        wish, present, expected = await self._promise(order)
        failed = dict(wish.impossible)
        recorded = {port_id for port_id, row in present.items() if row.state == "created"}
        for port in wish.wanted:
            # One that is on the log stands and may be serving: whatever the driver says now must not fail it.
            if port.id not in recorded and (reason := await self._maker.make(port)):
                failed[port.id] = reason
        for port_id in wish.surplus:
            await self._maker.remove(port_id)
        await self._withdraw([port_id for port_id in wish.surplus if present[port_id].state == "wanted"])
        await self._journal.append(
            ports_subject(order.amphora_id),
            _events(order, wish, recorded=recorded, failed=failed),
            cause=CommandCause(command=order),
            expected=expected,
        )

    async def _promise(self, order: SettlePorts) -> tuple[allocation.Settlement, Mapping[PortId, StoredPort], int]:
        def change(connection: sa.Connection) -> tuple[allocation.Settlement, Mapping[PortId, StoredPort], int]:
            present = queries.ports_of(connection, order.amphora_id)
            subnets = [wish.subnet_id for wish in order.ports]
            space = queries.space(connection, kept=self._kept, subnet_ids=subnets, management=None in subnets)
            wish = allocation.settle_ports(order, space, present={key: row.port for key, row in present.items()})
            for port in wish.wanted:
                if port.id not in present or present[port.id].port is None:
                    queries.put_port(connection, order.amphora_id, port, state="wanted")
            return wish, present, queries.sequence(connection, ports_subject(order.amphora_id))

        async with self._allocating:
            return await self._database.write(change)

    async def _withdraw(self, port_ids: Sequence[PortId]) -> None:
        def change(connection: sa.Connection) -> None:
            for port_id in port_ids:
                queries.forget_port(connection, port_id)

        if port_ids:
            await self._database.write(change)


def _events(
    order: SettlePorts,
    wish: allocation.Settlement,
    *,
    recorded: AbstractSet[PortId],
    failed: Mapping[PortId, str],
) -> list[Event]:
    amphora_id, appliance_id = order.amphora_id, order.appliance_id
    created = [port for port in wish.wanted if port.id not in recorded and port.id not in failed]
    return [
        *(PortCreated(amphora_id=amphora_id, appliance_id=appliance_id, port=port) for port in created),
        *(
            PortFailed(amphora_id=amphora_id, appliance_id=appliance_id, port_id=port_id, reason=reason)
            for port_id, reason in failed.items()
        ),
        *(
            PortDeleted(amphora_id=amphora_id, appliance_id=appliance_id, port_id=port_id)
            for port_id in wish.surplus
            if port_id in recorded
        ),
        PortsSettled(amphora_id=amphora_id, appliance_id=appliance_id, revision=order.revision),
    ]
