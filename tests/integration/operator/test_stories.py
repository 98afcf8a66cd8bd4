"""The story of one load balancer: whole, in order, with times and the one who asked; also when it is gone."""

from actium_shared.ids import RandomIds
from integration.operator.conftest import OperatorApi
from integration.operator.test_events import WHOLE_STORY
from integration.operator.writing import Life, Log


async def test_the_story_of_a_deleted_load_balancer_is_told_whole(api: OperatorApi, log: Log) -> None:
    life = Life()
    for step in (Life.begin, Life.serve, Life.end):
        await step(life, log)
    answer = await api.client.get(f"/operator/v1/load-balancers/{life.load_balancer_id}/story")
    story = answer.json()
    assert answer.status_code == 200
    assert (story["name"], story["deleted"]) == ("web", True)
    assert [told["event"]["type"] for told in story["events"]] == WHOLE_STORY


async def test_times_are_told_from_the_start_and_from_the_event_before(api: OperatorApi, log: Log) -> None:
    life = Life()
    await life.begin(log)
    await life.serve(log)
    events = (await api.client.get(f"/operator/v1/load-balancers/{life.load_balancer_id}/story")).json()["events"]
    assert events[0]["since_start_s"] == events[0]["since_previous_s"] == 0
    assert all(told["since_previous_s"] >= 0 for told in events)
    assert abs(events[-1]["since_start_s"] - sum(told["since_previous_s"] for told in events)) < 0.001
    assert events[-1]["since_start_s"] > 0


async def test_what_followed_from_a_request_names_who_made_it(api: OperatorApi, log: Log) -> None:
    life = Life()
    await life.begin(log)
    await life.serve(log)
    events = (await api.client.get(f"/operator/v1/load-balancers/{life.load_balancer_id}/story")).json()["events"]
    booted = next(told for told in events if told["event"]["type"] == "amphora.booted")
    assert booted["event"]["actor"] is None
    assert booted["who"] == "alice of project p1 in req-1"
    assert booted["event"]["words"]["why"] == f"outcome of amphora.boot/{life.amphora_id[:8]}/1"


async def test_a_load_balancer_that_the_log_does_not_know_is_not_found(api: OperatorApi) -> None:
    answer = await api.client.get(f"/operator/v1/load-balancers/{RandomIds().new()}/story")
    assert answer.status_code == 404
    assert answer.json()["error"]["field"] == "load_balancer_id"


async def test_an_odd_id_is_a_load_balancer_that_is_not_known(api: OperatorApi) -> None:
    answer = await api.client.get("/operator/v1/load-balancers/%3E.%20*/story")
    assert answer.status_code == 404
