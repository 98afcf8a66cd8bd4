"""Amphorae, as far as both sides can have none: upstream's no-op provider makes no machines."""

from collections.abc import Iterator

from differential.story import NOTHING, Story


def none() -> Iterator[Story]:
    story = Story("amphorae that are not there")
    path = f"/v2.0/octavia/amphorae/{NOTHING}"
    story.get("/v2.0/octavia/amphorae")
    story.get("/v2.0/octavia/amphorae?status=ALLOCATED&limit=5")
    story.get("/v2.0/octavia/amphorae?bogus=x")
    story.get(path)
    story.get(f"{path}/stats")
    story.get(f"{path}/bogus")
    story.delete(path)
    story.ask("PUT", f"{path}/failover")
    story.ask("PUT", f"{path}/config")
    story.ask("POST", "/v2.0/octavia/amphorae", {})
    yield story


TELLERS = (none,)
