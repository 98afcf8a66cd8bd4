"""How services do: those that answer, those that do not, how far behind they are, and what they parked."""

import json
import time

import msgspec

from actium_api.settings import ApiSettings
from actium_shared.service import Service
from actium_shared.streams import SERVICES
from actium_shared.testing.nats_server import NatsServer
from integration.operator.conftest import OperatorApi
from integration.operator.writing import Life, Log


async def test_services_that_are_down_are_told_within_the_second_that_they_are_given(api: OperatorApi) -> None:
    begun_at = time.monotonic()
    answer = await api.client.get("/operator/v1/services")
    assert time.monotonic() - begun_at < 4
    services = answer.json()["services"]
    assert [service["name"] for service in services] == list(SERVICES)
    assert not any(service["healthy"] for service in services)
    assert "does not answer" in services[0]["detail"]


async def test_a_service_that_this_world_does_without_is_not_missed(api: OperatorApi) -> None:
    api.state.settings = ApiSettings(nats_url=api.state.settings.nats_url, absent_services=("relay",))
    services = (await api.client.get("/operator/v1/services")).json()["services"]
    assert [service["name"] for service in services] == [name for name in SERVICES if name != "relay"]
    assert "relay" not in (await api.client.get("/operator/v1/positions")).json()["services"]


async def test_a_service_that_answers_is_healthy_and_tells_its_facts(api: OperatorApi, nats_server: NatsServer) -> None:
    async with nats_server.bus("planner") as bus:
        planner = Service("planner", bus)
        planner.fact(lambda: {"aggregates": 7})
        await bus.serve_status("planner", planner.status)
        await bus.flush()
        told = await _told(api, "planner")
    assert told["healthy"] is True
    assert told["started_at"]
    assert told["parked"] == 0
    assert told["facts"] == {"aggregates": 7}


async def test_the_api_can_ask_itself(api: OperatorApi) -> None:
    await api.bus.serve_status("api", Service("api", api.bus).status)
    await api.bus.flush()
    assert (await _told(api, "api"))["healthy"] is True


async def test_lag_counts_what_a_service_reads_and_has_not_read(
    api: OperatorApi, log: Log, nats_server: NatsServer
) -> None:
    await Life().begin(log)  # one commit of a load balancer and one of an appliance
    end = await api.bus.last_sequence("EVENTS_PLANNER")

    async def handle(_commit: object) -> None: ...

    async with nats_server.bus("network") as bus:
        network = Service("network", bus)
        network.feed("EVENTS_PLANNER", handle, after=end - 2, subjects=("evt.planner.loadbalancer.*",))
        network.feed("EVENTS_NETWORK", handle, after=0)
        await bus.serve_status("network", network.status)
        await bus.flush()
        told = await _told(api, "network")
    assert told["lag"] == {"EVENTS_PLANNER": 1, "EVENTS_NETWORK": await api.bus.last_sequence("EVENTS_NETWORK")}


async def test_an_answer_that_makes_no_sense_is_told_and_not_raised(api: OperatorApi, nats_server: NatsServer) -> None:
    async with nats_server.bus("compute") as bus:
        await bus.serve_status("compute", lambda: {"positions": "everywhere"})
        await bus.flush()
        told = await _told(api, "compute")
    assert told["healthy"] is False
    assert "positions" in told["detail"]


async def _told(api: OperatorApi, name: str) -> dict[str, object]:
    services = (await api.client.get("/operator/v1/services")).json()["services"]
    return next(service for service in services if service["name"] == name)


async def test_positions_tell_where_the_log_ends_as_text_for_from(api: OperatorApi, log: Log) -> None:
    await Life().begin(log)
    told = (await api.client.get("/operator/v1/positions")).json()
    assert told["streams"]["EVENTS_PLANNER"] == await api.bus.last_sequence("EVENTS_PLANNER")
    await Life().begin(log)
    later = await api.client.get("/operator/v1/events", params={"from": told["next"]})
    assert [json.loads(line)["type"] for line in later.text.splitlines()][:2] == [
        "vip.reserved",
        "loadbalancer.created",
    ]


async def test_dead_letters_are_listed_newest_first_with_their_reason_and_without_content(
    api: OperatorApi, nats_server: NatsServer
) -> None:
    assert (await api.client.get("/operator/v1/dead-letters")).json() == {"dead_letters": []}
    async with nats_server.bus("compute") as bus:
        for sequence in (1, 2):
            letter = {
                "stream": "COMMANDS",
                "sequence": sequence,
                "subject": "cmd.compute.3.a",
                "reason": "PermanentError: no",
                "time": "2026-01-01T00:00:00Z",
                "headers": {"ce-type": "amphora.boot"},
                "body": b"secret",
            }
            await bus.store("dead.compute", msgspec.msgpack.encode(letter), headers={}, timeout_s=5)
        await bus.store("dead.compute", b"\xc1", headers={}, timeout_s=5)
    answer = await api.client.get("/operator/v1/dead-letters")
    broken, second, first = answer.json()["dead_letters"]
    assert "cannot be read" in broken["reason"]
    assert (second["position"], first["position"]) == ("COMMANDS:2", "COMMANDS:1")
    assert (first["service"], first["type"], first["size_bytes"]) == ("compute", "amphora.boot", 6)
    assert "secret" not in answer.text
