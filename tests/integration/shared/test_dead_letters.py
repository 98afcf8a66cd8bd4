"""What a service could not digest: kept, and handled again or let be on an operator's word, which stands beside it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from actium_shared import service as service_module
from actium_shared import streams
from actium_shared.bus import Bus, Delivery
from actium_shared.codec import CODEC
from actium_shared.commands.compute import DeleteAmphora
from actium_shared.commands.dead_letters import DeadLetterCommand, RetryDeadLetter, SkipDeadLetter
from actium_shared.dead_letters import Letter, is_decision
from actium_shared.envelope import Envelope
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.event_store import Recorded
from actium_shared.events.dead_letter import DeadLetterRetried, DeadLetterSkipped
from actium_shared.ids import AmphoraId, ApplianceId
from actium_shared.message import Accepted, Actor, Reason, Rejected, Reply
from actium_shared.service import Service
from actium_shared.testing.nats_server import NatsServer
from integration.shared.test_service import append, running, until

WHO = Actor(user_id="admin ann", project_id="", request_id="req-1")


@dataclass
class Desk:
    """Compute with one kind of order, which it handles unless it `is_broken`; and those who write to it."""

    service: Service
    planner: Bus
    network: Bus
    api: Bus
    handled: list[str] = field(default_factory=list)
    is_broken: bool = False

    async def handle(self, order: DeleteAmphora) -> None:
        if self.is_broken:
            raise RetryableError("the machines are away")
        self.handled.append(order.amphora_id)

    async def park(self, name: str) -> int:
        """Have an order parked, and give the letter's number."""
        self.is_broken, before = True, self.service.parked
        order = DeleteAmphora(amphora_id=AmphoraId(name), appliance_id=ApplianceId("appliance"))
        await self.planner.send_order(order)
        await until(lambda: self.service.parked > before)
        return await self.api.last_sequence(streams.DEAD_LETTERS)

    async def decide(self, command: DeadLetterCommand, *, of: str = "compute") -> Reply:
        subject = streams.ask_subject(of, streams.DEAD_LETTERS_PARTITION)
        return await self.api.ask(command, actor=WHO, subject=subject)

    async def stored(self) -> list[Delivery]:
        return [each async for each in self.api.feed(streams.DEAD_LETTERS, after=0, until_end=True)]


@pytest.fixture
async def desk(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(service_module, "RETRY_MOST_S", 0.01)
    async with (
        nats_server.bus("compute") as compute,
        nats_server.bus("planner") as planner,
        nats_server.bus("network") as network,
        nats_server.bus("api") as api,
    ):
        service = Service("compute", compute)
        desk = Desk(service, planner, network, api)

        async def read(_batch: Sequence[Recorded]) -> None:
            raise PermanentError("nobody foresaw this event")

        service.orders({DeleteAmphora: desk.handle})  # type: ignore[dict-item]
        service.feed("EVENTS_NETWORK", read, after=await api.last_sequence("EVENTS_NETWORK"))
        async with running(service):
            async with asyncio.timeout(10):
                while not await api.is_there("compute", "status", timeout_s=1.0):
                    await asyncio.sleep(0.01)
            yield desk


async def test_an_order_is_handled_again_and_who_wished_that_and_why_stands_beside_it(desk: Desk) -> None:
    letter = await desk.park("retried")
    still = await desk.decide(RetryDeadLetter(letter=letter, service="compute", reason="try"))
    assert isinstance(still, Rejected)
    assert still.reason is Reason.CONFLICT
    assert "RetryableError: the machines are away" in still.detail
    desk.is_broken = False
    assert isinstance(
        await desk.decide(RetryDeadLetter(letter=letter, service="compute", reason="they are back")), Accepted
    )
    assert desk.handled == ["retried"]
    decision = (await desk.stored())[-1]
    envelope = Envelope.from_headers(decision.headers)
    assert (envelope.actor, decision.subject) == (WHO, "dead.compute")
    event = CODEC.decode(envelope.type, envelope.version, decision.body)
    assert event == DeadLetterRetried(letter=letter, service="compute", reason="they are back")


async def test_what_is_skipped_is_not_handled(desk: Desk) -> None:
    letter = await desk.park("skipped")
    desk.is_broken = False
    assert isinstance(await desk.decide(SkipDeadLetter(letter=letter, service="compute", reason="gone")), Accepted)
    assert desk.handled == []
    envelope = Envelope.from_headers((await desk.stored())[-1].headers)
    assert envelope.type == DeadLetterSkipped.TYPE


async def test_a_decision_and_a_number_of_nobody_are_no_letters(desk: Desk) -> None:
    letter = await desk.park("one")
    await desk.decide(SkipDeadLetter(letter=letter, service="compute", reason="gone"))
    for number in (letter + 1, letter + 1000):
        answer = await desk.decide(RetryDeadLetter(letter=number, service="compute", reason="?"))
        assert isinstance(answer, Rejected)
        assert answer.reason is Reason.NOT_FOUND


async def test_an_event_cannot_be_handled_late_and_the_answer_says_what_can_be_done(desk: Desk) -> None:
    before = desk.service.parked
    await append(desk.network, "an-event")
    await until(lambda: desk.service.parked > before)
    letter = await desk.api.last_sequence(streams.DEAD_LETTERS)
    answer = await desk.decide(RetryDeadLetter(letter=letter, service="compute", reason="mended"))
    assert isinstance(answer, Rejected)
    assert "the service makes them anew from the log" in answer.detail
    assert isinstance(await desk.decide(SkipDeadLetter(letter=letter, service="compute", reason="made anew")), Accepted)


async def test_what_is_too_large_to_be_kept_whole_is_kept_without_its_content(desk: Desk) -> None:
    """Else the service would end at it, start again, and end at it again."""
    before = await desk.api.last_sequence(streams.DEAD_LETTERS)
    body = bytes(streams.MAX_PAYLOAD_BYTES - 100)
    await desk.planner.store(
        streams.order_subject("compute", "large"), body, headers={"ce-type": "no.such"}, timeout_s=5.0
    )
    await until(lambda: desk.service.parked > 0)
    (letter,) = [each for each in await desk.stored() if each.sequence > before and not is_decision(each.headers)]
    kept = msgspec.msgpack.decode(letter.body, type=Letter)
    assert (kept.body, kept.subject.split(".")[1]) == (b"", "compute")
    assert kept.reason
