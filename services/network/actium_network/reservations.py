"""VIPs: reserved when asked for, released when ordered, given back when nobody comes for them."""

import asyncio
import logging
from datetime import timedelta
from weakref import WeakValueDictionary

import sqlalchemy as sa

from actium_network import allocation
from actium_network.journal import Journal, vip_subject
from actium_network.orders import context_of
from actium_network.ports import ExistingPort
from actium_network.read_model import queries, route_queries
from actium_network.read_model.projections import OWN, PLANNER, PLANNER_SUBJECTS
from actium_network.read_model.queries import Kept
from actium_network.survey import Survey
from actium_shared.bus import Question
from actium_shared.clock import Clock
from actium_shared.commands.network import FindSubnet, ReleaseVip, ReserveVip, VipReservation
from actium_shared.errors import RetryableError, VersionConflictError
from actium_shared.events.network import VipReleased, VipReserved
from actium_shared.ids import LoadBalancerId, PortId, SubnetId
from actium_shared.message import Accepted, ClockCause, CommandCause, Position, Rejected
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

MAX_RACES = 3


class Reservations:
    """
    Answers asks for VIPs and subnets. `allocating` is held wherever free addresses are chosen.

    Not until they are on the log: that waits for a disk, and what was chosen is claimed. One load balancer's VIP is asked
    for, and given back, one at a time.
    """

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        survey: Survey,
        kept: Kept,
        allocating: asyncio.Lock,
        clock: Clock,
    ) -> None:
        self._database = database
        self._journal = journal
        self._survey = survey
        self._kept = kept
        self._allocating = allocating
        self._clock = clock
        self._turns: WeakValueDictionary[LoadBalancerId, asyncio.Lock] = WeakValueDictionary()

    async def find_subnet(self, command: FindSubnet) -> Accepted | Rejected:
        await self._survey.learn([command.subnet_id])

        def query(connection: sa.Connection) -> Accepted | Rejected:
            space = queries.space(connection, kept={}, subnet_ids=[command.subnet_id])
            found = allocation.find_subnet(command.subnet_id, space)
            if isinstance(found, Rejected):
                return found
            return Accepted(position=queries.position_of(connection, found[0].id))

        return await self._database.read(query)

    async def reserve(self, question: Question, command: ReserveVip) -> VipReservation | Rejected:
        await self._survey.learn(
            [command.subnet_id, *(each.subnet_id for each in command.additional)],
            network_id=command.network_id,
            address=command.address,
        )
        async with self._turn(command.load_balancer_id):
            for _ in range(MAX_RACES - 1):
                try:
                    return await self._reserve(question, command)
                except VersionConflictError:
                    await self._journal.reach_end_of(OWN)
            return await self._reserve(question, command)

    async def _reserve(self, question: Question, command: ReserveVip) -> VipReservation | Rejected:
        subject = vip_subject(command.load_balancer_id)
        port = await self._survey.port(command.port_id)
        additional_ports = await self._additional_ports(command)

        def decide(connection: sa.Connection) -> tuple[tuple[VipReserved, ...] | Rejected, int]:
            space = queries.space(
                connection,
                kept=self._kept,
                network_id=command.network_id,
                subnet_ids=[
                    command.subnet_id,
                    SubnetId(port.subnet_id) if port else None,
                    *(wish.subnet_id for wish in command.additional),
                ],
            )
            known = queries.reservation(connection, command.load_balancer_id)
            decision = allocation.reserve_vip(command, space, known, port=port, additional_ports=additional_ports)
            if not isinstance(decision, Rejected):
                self._promise(connection, command, decision)
            return decision, queries.sequence(connection, subject)

        async with self._allocating:
            if self._clock.monotonic() > question.deadline:  # nobody would come for the address
                raise RetryableError(f"{command.load_balancer_id} waited too long for its turn")
            decision, expected = await self._database.write(decide)
        if isinstance(decision, Rejected):
            log.info("VIP refused", extra={"load_balancer_id": command.load_balancer_id, "detail": decision.detail})
            return decision
        position = Position(OWN, expected)
        if decision:
            position = await self._journal.append(
                subject,
                decision,
                cause=CommandCause(command=command, actor=question.envelope.actor),
                expected=expected,
                deadline=question.deadline,
            )
            (event,) = decision
            return VipReservation(vip=event.vip, position=position, additional_vips=event.additional_vips)
        return await self._answer(command.load_balancer_id, position)

    def _turn(self, load_balancer_id: LoadBalancerId) -> asyncio.Lock:
        return self._turns.setdefault(load_balancer_id, asyncio.Lock())

    async def _additional_ports(self, command: ReserveVip) -> dict[PortId, ExistingPort]:
        named = [wish.port_id for wish in command.additional if wish.port_id is not None]
        found = {port_id: await self._survey.port(port_id) for port_id in named}
        return {port_id: port for port_id, port in found.items() if port is not None}

    def _promise(self, connection: sa.Connection, command: ReserveVip, decision: tuple[VipReserved, ...]) -> None:
        now = self._clock.now()
        if not decision:
            queries.touch_vip(connection, command.load_balancer_id, now=now)
        for event in decision:
            vips = (event.vip, *event.additional_vips)
            queries.claim_vip(connection, command.load_balancer_id, vips, project_id=command.project_id, now=now)

    async def _answer(self, load_balancer_id: LoadBalancerId, position: Position) -> VipReservation:
        known = await self._database.read(lambda connection: queries.reservation(connection, load_balancer_id))
        if known is None or known.vip is None:
            raise RetryableError(f"the VIP of {load_balancer_id} was released while it was reserved")
        return VipReservation(vip=known.vip, position=position, additional_vips=known.additional_vips)

    async def work_release(self, load_balancer_id: str) -> None:
        """
        Answer the order to release a VIP, if there is one that waits.

        A VIP that was never known, or has lapsed, is released too: the planner waits for the event.

        Raises:
            RetryableError: a route still leads to it, and would to whoever had it next.
        """

        def query(connection: sa.Connection) -> tuple[queries.StoredOrder | None, int, bool]:
            stored = queries.stored_order(connection, ReleaseVip.TYPE, load_balancer_id)
            is_routed = route_queries.is_routed(connection, LoadBalancerId(load_balancer_id))
            return stored, queries.sequence(connection, vip_subject(load_balancer_id)), is_routed

        stored, expected, is_routed = await self._database.read(query)
        if stored is None:
            return
        if is_routed:
            raise RetryableError("a route still leads to the VIP")
        with context_of(stored):
            await self._journal.append(
                vip_subject(load_balancer_id),
                [VipReleased(load_balancer_id=LoadBalancerId(load_balancer_id), reason="deleted")],
                cause=CommandCause(command=stored.order),
                expected=expected,
            )

    async def lapse_forever(self, *, lapse_s: float, check_s: float) -> None:
        """Give back, again and again, what nobody came for."""
        while True:
            await self._clock.sleep(check_s)
            try:
                await self.lapse(after=timedelta(seconds=lapse_s))
            except (RetryableError, VersionConflictError) as exc:
                log.warning("lapsed VIPs not judged now", extra={"error": str(exc)})

    async def lapse(self, *, after: timedelta) -> None:
        """Give back what was asked for longer ago than that, unless its load balancer exists."""
        before = self._clock.now() - after
        if not await self._database.read(lambda connection: queries.unclaimed_vips(connection, asked_before=before)):
            return
        # Only now that the time is over: a load balancer that came in time is on the planner's stream already,
        # and a feed that lags must not cost it its address.
        planner = await self._journal.reach_end_of(PLANNER, *PLANNER_SUBJECTS)
        await self._journal.reach_end_of(OWN)
        due = await self._database.read(lambda connection: queries.unclaimed_vips(connection, asked_before=before))
        for vip in due:
            if (turn := self._turn(vip.load_balancer_id)).locked():
                continue  # somebody asks for it just now
            async with turn:
                await self._lapse_one(vip.load_balancer_id, after=after, planner=planner)

    async def _lapse_one(self, load_balancer_id: LoadBalancerId, *, after: timedelta, planner: int) -> None:
        def look_again(connection: sa.Connection) -> tuple[queries.Unclaimed | None, int]:
            # While others were given back it may have been asked for again.
            due = queries.unclaimed_vips(connection, asked_before=self._clock.now() - after)
            vip = next((vip for vip in due if vip.load_balancer_id == load_balancer_id), None)
            if vip is not None and vip.state == "claimed":
                queries.forget_vip(connection, load_balancer_id)
            return vip, queries.sequence(connection, vip_subject(load_balancer_id))

        vip, expected = await self._database.write(look_again)
        if vip is None or vip.state == "claimed":
            return  # a claim is on no log: its append never arrived
        log.info("VIP lapsed", extra={"load_balancer_id": load_balancer_id})
        await self._journal.append(
            vip_subject(load_balancer_id),
            [VipReleased(load_balancer_id=load_balancer_id, reason="lapsed")],
            cause=ClockCause(deadline=vip.asked_at + after),
            expected=expected,
            reads={OWN: expected, PLANNER: planner},
        )
