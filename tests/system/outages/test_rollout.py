"""A rollout moves what serves to another image, one amphora after the other, and clients hardly notice."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

from system.outages.drills import Site, holder, outage_ms
from system.worlds import await_value

PAIR = {"loadbalancer_topology": "ACTIVE_STANDBY"}
NOT_BY_VERDICT_MS = 2500
"""Health judges after three seconds: what takes less, nobody had to notice a loss for."""

NEW = "newer"
ROLLED_OUT_WITHIN_S = 120


def operate(site: Site, *words: str) -> Any:
    """Run the operators' command line and give what it says, decoded."""
    done = subprocess.run(
        [sys.executable, "-m", "actium_api.cli", "rollout", *words, "--json"],
        env=os.environ | {"ACTIUM_OPERATOR_URL": site.world.facts.api_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def another_image(site: Site) -> None:
    """Make a second image, a folder of its own beside the one that all boot from."""
    images = site.world.facts.data / "images"
    if not (images / NEW).exists():
        shutil.copytree((images / "default").resolve(), images / NEW)


def images_of(site: Site, lb_id: str) -> set[str]:
    serving = {each["id"] for each in site.amphorae(lb_id)}
    answer = site.tenant.http.get(f"{site.tenant.url}/operator/v1/amphorae").json()["amphorae"]
    return {each["image_tag"] for each in answer if each["id"] in serving}


def rollout(site: Site, rollout_id: str) -> dict[str, Any]:
    told: dict[str, Any] = operate(site, "show", rollout_id)["rollout"]
    return told


def test_one_alone_and_a_pair_move_to_another_image_and_it_can_be_paused_in_between(site: Site) -> None:
    another_image(site)
    alone, pair = site.serving(), site.serving(site.flavor(**PAIR), name="pair")
    before = {lb["id"]: {each["id"] for each in site.whole(lb["id"], size)} for lb, size in ((alone, 1), (pair, 2))}
    begun: dict[str, Any] = {}

    def first_wave() -> None:
        told = operate(site, "start", "--image", "default", "--to", NEW, "--pause", "2s")["rollout"]
        begun.update(told)
        operate(site, "pause", told["id"], "--reason", "let us see how the first one does")

    def first_is_done() -> None:
        await_value(lambda: rollout(site, begun["id"])["replaced"], lambda count: count == 1, 60)

    def all_are_done() -> None:
        operate(site, "resume", begun["id"])
        await_value(
            lambda: rollout(site, begun["id"])["status"], lambda status: status != "RUNNING", ROLLED_OUT_WITHIN_S
        )

    assert outage_ms(pair, first_wave, first_is_done) < NOT_BY_VERDICT_MS
    paused = rollout(site, begun["id"])
    assert (paused["status"], paused["reason"], paused["remaining"]) == (
        "PAUSED",
        "let us see how the first one does",
        2,
    )
    assert {"default", NEW} == images_of(site, alone["id"]) | images_of(site, pair["id"])
    gaps = [0.0, 0.0]

    def rest_of_alone() -> None:
        gaps[0] = outage_ms(pair, lambda: None, all_are_done)

    gaps[1] = outage_ms(alone, lambda: None, rest_of_alone)
    assert max(gaps) < NOT_BY_VERDICT_MS, gaps
    done = rollout(site, begun["id"])
    assert (done["status"], done["replaced"], done["failed"], done["remaining"]) == ("DONE", 3, [], 0)
    for lb, size in ((alone, 1), (pair, 2)):
        site.whole(lb["id"], size, without=sorted(before[lb["id"]]))
        assert images_of(site, lb["id"]) == {NEW}
        assert holder(site, lb) not in before[lb["id"]]


def test_an_image_that_is_not_there_pauses_it_and_nothing_is_lost(site: Site) -> None:
    lb = site.serving()
    (before,) = site.whole(lb["id"], 1)

    def tried() -> None:
        begun = operate(site, "start", "--image", "default", "--to", "nowhere")["rollout"]
        told = await_value(lambda: rollout(site, begun["id"]), lambda one: one["status"] == "PAUSED", 60)
        assert "nowhere" in told["reason"]
        assert [each["amphora_id"] for each in told["failed"]] == [before["id"]]
        operate(site, "abort", begun["id"])
        assert rollout(site, begun["id"])["status"] == "ABORTED"

    assert outage_ms(lb, tried) < NOT_BY_VERDICT_MS
    (after,) = site.whole(lb["id"], 1)
    assert after["id"] == before["id"]
    lost = site.tenant.request("PUT", f"/loadbalancers/{lb['id']}/failover", expect=202)
    assert lost is None
    site.whole(lb["id"], 1, without=[before["id"]])
    assert images_of(site, lb["id"]) == {"default"}
