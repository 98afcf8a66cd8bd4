"""Dead letters as an operator sees and decides them, over the real operator API and the real compute."""

import json
from typing import Any

import msgspec
import pytest

from actium_shared.codec import CODEC
from actium_shared.commands.compute import DeleteAmphora
from actium_shared.dead_letters import Letter
from actium_shared.ids import AmphoraId, ApplianceId, RandomIds
from actium_shared.testing.nats_server import NatsServer
from integration.operator.with_compute import Here, here

__all__ = ["here"]

LETTERS = "/operator/v1/dead-letters"


async def parked(server: NatsServer, *, kind: str = DeleteAmphora.TYPE) -> int:
    """Put a letter there as compute does, and give its number."""
    order = DeleteAmphora(amphora_id=AmphoraId(RandomIds().new()), appliance_id=ApplianceId("appliance"))
    headers = {
        "ce-specversion": "1.0",
        "ce-id": order.order_id,
        "ce-type": kind,
        "ce-schemaversion": "1",
        "ce-source": "/actium/planner",
        "ce-time": "2026-01-01T00:00:00+00:00",
        "ce-correlationid": "c",
    }
    letter = Letter(
        stream="COMMANDS",
        sequence=1,
        subject="cmd.compute.3.a",
        reason="PermanentError: no",
        headers=headers,
        body=CODEC.encode(order),
    )
    async with server.bus("compute") as bus:
        answer = await bus.store("dead.compute", msgspec.msgpack.encode(letter), headers={}, timeout_s=5)
    return int(answer["seq"])


async def listed(here: Here) -> dict[int, dict[str, Any]]:
    return {letter["id"]: letter for letter in (await here.client.get(LETTERS)).json()["dead_letters"]}


async def test_one_is_retried_and_another_skipped_with_reason_and_name(here: Here, nats_server: NatsServer) -> None:
    good, bad = await parked(nats_server), await parked(nats_server, kind="no.such")
    waiting = json.loads((await here.actium("dead-letters", "--json")).out)["dead_letters"]
    assert [letter["id"] for letter in waiting] == [bad, good]
    done = await here.actium("dead-letters", "retry", str(good), "--reason", "mended")
    assert (done.code, done.err, done.out) == (0, "", f"dead letter {good} is settled\n")
    refused = await here.actium("dead-letters", "retry", str(bad), "--reason", "try")
    assert refused.code == 1
    assert "It still cannot be handled: UnreadableError" in refused.err.replace("\n", " ")
    assert (await here.actium("dead-letters", "skip", str(bad), "--reason", "of a test")).code == 0
    decisions = {number: letter["decision"] for number, letter in (await listed(here)).items()}
    assert (decisions[good]["word"], decisions[good]["reason"]) == ("retried", "mended")
    assert (decisions[bad]["word"], decisions[bad]["reason"]) == ("skipped", "of a test")
    assert decisions[good]["by"].startswith("admin ")
    assert (await here.actium("dead-letters")).out == ""
    assert "skipped by admin" in (await here.actium("dead-letters", "--all")).out


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("999999/retry", {"reason": "x"}, 404, "letter"),
        ("one/retry", {"reason": "x"}, 400, "letter"),
        ("{letter}/forget", {"reason": "x"}, 404, None),
        ("{letter}/skip", {"reason": " "}, 400, "reason"),
        ("{letter}/skip", {}, 400, None),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    here: Here, nats_server: NatsServer, path: str, body: dict[str, str], status: int, field: str | None
) -> None:
    letter = await parked(nats_server)
    answer = await here.client.post(f"{LETTERS}/{path.format(letter=letter)}", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)
    assert (await listed(here))[letter]["decision"] is None
