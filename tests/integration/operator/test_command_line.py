"""The operators' command line as a process of its own, against the operator API over HTTP."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from actium_shared.ids import RandomIds
from integration.operator.conftest import OperatorApi
from integration.operator.test_events import WHOLE_STORY
from integration.operator.writing import Life, Log


@dataclass(frozen=True, slots=True)
class Result:
    code: int | None
    out: str
    err: str


@asynccontextmanager
async def started(url: str, *words: str) -> AsyncIterator[Process]:
    environment = {**os.environ, "ACTIUM_OPERATOR_URL": url, "COLUMNS": "80"}
    command = (sys.executable, "-m", "actium_api.cli", *words)
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(api: OperatorApi, *words: str) -> Result:
    return await run_at(api.url, *words)


async def run_at(url: str, *words: str) -> Result:
    async with asyncio.timeout(20), started(url, *words) as process:
        out, err = await process.communicate()
        return Result(process.returncode, out.decode(), err.decode())


async def lived(log: Log) -> Life:
    life = Life()
    for step in (Life.begin, Life.serve, Life.end):
        await step(life, log)
    return life


async def test_tail_prints_a_plain_line_an_event(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    result = await run(api, "events", "tail", "--no-follow", "--load-balancer", life.load_balancer_id)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert [line.split()[3] for line in lines] == WHOLE_STORY
    assert "\x1b" not in result.out
    created = lines[1]
    assert life.load_balancer_id[:8] in created
    assert '"web" at 203.0.113.100, provider actium' in created
    assert "alice of project p1 in req-1, asked: loadbalancer.create" in created


async def test_tail_as_json_prints_each_event_in_full(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    words = ("--no-follow", "--json", "--type", "vip", "--load-balancer", life.load_balancer_id)
    result = await run(api, "events", "tail", *words)
    events = [json.loads(line) for line in result.out.splitlines()]
    assert [event["type"] for event in events] == ["vip.reserved", "vip.released"]
    assert events[0]["cause"]["command"]["type"] == "vip.reserve"


async def test_tail_from_a_position_begins_there(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    name = ("--load-balancer", life.load_balancer_id, "--no-follow", "--json")
    lines = (await run(api, "events", "tail", *name)).out.splitlines()
    booted = next(event for event in map(json.loads, lines) if event["type"] == "amphora.booted")
    later = (await run(api, "events", "tail", *name, "--from", booted["position"])).out.splitlines()
    assert [json.loads(line)["type"] for line in later] == WHOLE_STORY[WHOLE_STORY.index("amphora.booted") :]


async def test_tail_follows_and_ends_cleanly_on_ctrl_c(api: OperatorApi, log: Log) -> None:
    life = Life()
    async with (
        asyncio.timeout(30),
        started(api.url, "events", "tail", "--from", "start", "--load-balancer", life.load_balancer_id) as process,
    ):
        assert process.stdout is not None
        await life.begin(log)
        await process.stdout.readline()
        await life.serve(log)
        while b"health.operating-status-changed" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_tail_ends_without_complaint_when_nobody_reads_it(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    command = f"{sys.executable} -m actium_api.cli events tail --from start --load-balancer {life.load_balancer_id}"
    environment = {**os.environ, "ACTIUM_OPERATOR_URL": api.url}
    async with asyncio.timeout(20):
        shell = await asyncio.create_subprocess_exec(
            "bash", "-c", f"set -o pipefail; {command} | head -1", env=environment, stdout=PIPE, stderr=PIPE
        )
        out, err = await shell.communicate()
    assert (shell.returncode, err) == (0, b"")
    assert out.count(b"\n") == 1


async def test_tail_that_has_nothing_more_to_say_ends_with_its_reader(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    command = f"{sys.executable} -m actium_api.cli events tail --from start --load-balancer {life.load_balancer_id}"
    environment = {**os.environ, "ACTIUM_OPERATOR_URL": api.url}
    lines = len(
        (await run(api, "events", "tail", "--no-follow", "--load-balancer", life.load_balancer_id)).out.splitlines()
    )
    async with asyncio.timeout(20):
        shell = await asyncio.create_subprocess_exec(
            "bash", "-c", f"set -o pipefail; {command} | head -{lines}", env=environment, stdout=PIPE, stderr=PIPE
        )
        out, err = await shell.communicate()
    assert (shell.returncode, err) == (0, b"")
    assert out.count(b"\n") == lines


async def test_a_story_is_shown_by_name_with_durations_actor_and_cause(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    api.names["web"] = [life.load_balancer_id]
    result = await run(api, "events", "show", "web")
    title, summary, *steps = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert title == f"web  {life.load_balancer_id}"
    assert "15 events" in summary
    assert summary.endswith("deleted at the end")
    assert len(steps) == 15
    assert steps[0].split()[:2] == ["+0", "ms"]
    booted = next(step for step in steps if "amphora.booted" in step)
    assert "answers at 10.250.1.0, on host-1, image v1" in booted
    assert "alice of project p1 in req-1, outcome of amphora.boot/" in booted
    configured = steps[steps.index(booted) + 1]  # of the same commit, so nothing is said twice
    assert configured.split() == ["amphora.configured", "runs", "bundle", "1", "(reload,", "12", "ms)"]


async def test_positions_say_where_the_log_ends_and_how_far_each_service_has_read(api: OperatorApi, log: Log) -> None:
    life = await lived(log)
    end = await api.bus.last_sequence("EVENTS_PLANNER")
    standing = {"EVENTS_PLANNER": end - 1}
    await api.bus.serve_status("api", lambda: {"name": "api", "positions": standing, "parked": 0})
    await api.bus.flush()
    result = await run(api, "events", "positions")
    assert (result.code, result.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in result.out.splitlines()}
    assert rows["stream"] == ["ends", "at", "api"]
    assert rows["EVENTS_PLANNER"] == [str(end), str(end - 1)]
    assert rows["EVENTS_HEALTH"][1] == "-"
    words = ("events", "tail", "--no-follow", "--about", life.amphora_id)
    assert [line.split()[3] for line in (await run(api, *words)).out.splitlines()][-1] == "amphora.deleted"


async def test_what_is_wrong_is_one_sentence_and_exit_code_one(api: OperatorApi) -> None:
    api.names["twin"] = ["a", "b"]
    wrong = {
        ("events", "show", "nobody"): "No load balancer is called 'nobody'",
        ("events", "show", "twin"): "2 load balancers are called 'twin': a, b",
        ("events", "show", RandomIds().new()): "load_balancer_id: the log knows no load balancer",
        ("events", "tail", "--from", "yesterday"): "from: 'yesterday' is none of",
        ("events", "tail", "--type", "nonsense"): "type: no event's type begins with 'nonsense'",
    }
    for words, sentence in wrong.items():
        result = await run(api, *words)
        assert (result.code, result.out) == (1, ""), words
        assert result.err.startswith(sentence)
        assert result.err.count("\n") == 1


async def test_an_api_that_is_not_there_is_one_sentence(api: OperatorApi) -> None:
    for words in (("services",), ("events", "tail"), ("events", "show", "web")):
        async with asyncio.timeout(20), started("http://127.0.0.1:1", *words) as process:
            out, err = await process.communicate()
        assert (process.returncode, out) == (1, b"")
        assert err.startswith(b"Nothing answers at http://127.0.0.1:1")


async def test_services_are_a_table_also_when_they_are_down(api: OperatorApi) -> None:
    await api.bus.serve_status("api", lambda: {"name": "api", "positions": {}, "parked": 0})
    await api.bus.flush()
    result = await run(api, "services")
    rows = {line.split()[0]: line for line in result.out.splitlines()}
    assert result.code == 1
    assert "not healthy (does not answer within 1 s)" in rows["planner"]
    assert "healthy" in rows["api"].split()
    assert "not" not in rows["api"].split()
