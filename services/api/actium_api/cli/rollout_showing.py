"""Rollouts as text for a terminal: a table of all, and one with its progress. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from actium_shared.terminals import clean

STYLES = {"RUNNING": "yellow", "PAUSED": "bold red", "ABORTING": "yellow", "ABORTED": "red", "DONE": "green"}
ENDED = ("DONE", "ABORTED")
BAR_WIDTH = 30
BY_WHAT = {
    "image_tag": "image {}",
    "not_image_tag": "any image but {}",
    "certificate_expires_before": "certificate ends before {}",
    "booted_before": "booted before {}",
    "driver": "driver {}",
    "flavor_id": "flavor {}",
}


def rollouts(told: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("rollout", "status", "replaced", "under way", "left", "failed", "started", "which", "reason"):
        table.add_column(column, overflow="fold")
    for one in told:
        counts = (one["replaced"], len(one["under_way"]), one["remaining"], len(one["failed"]))
        table.add_row(
            one["id"],
            Text(one["status"], STYLES.get(one["status"], "")),
            *map(str, counts),
            one["started_at"].replace("T", " "),
            which(one),
            clean(one["reason"] or "-"),
        )
    return table


def rollout(one: Mapping[str, Any]) -> Text:
    """Show one: how far it is, what is under way, what failed and why it waits."""
    text = Text(f"rollout {one['id']}: ").append(one["status"], STYLES.get(one["status"], ""))
    text.append(f"  {clean(one['reason'])}" if one["reason"] else "")
    text.append(f"\n{which(one)}, to image {clean(one['to_image_tag'] or 'of their flavor')}", "dim")
    text.append(f", {one['wave_size']} at a time, wave {one['wave']}", "dim")
    text.append("\n").append_text(bar(one))
    for each in one["under_way"]:
        text.append(f"\n  {each['amphora_id']} is being replaced by image {clean(each['image_tag'])}", "yellow")
    for each in one["failed"]:
        text.append(f"\n  {each['amphora_id']} could not be replaced: {clean(each['reason'])}", "red")
    if one["next_wave_at"] and one["status"] == "RUNNING":
        text.append(f"\n  the next wave begins at {one['next_wave_at'].replace('T', ' ')} UTC", "dim")
    return text


def bar(one: Mapping[str, Any]) -> Text:
    done, coming, failed = one["replaced"], len(one["under_way"]), len(one["failed"])
    total = done + coming + failed + one["remaining"]
    filled = BAR_WIDTH * done // total if total else BAR_WIDTH
    text = Text("█" * filled, "green").append("░" * (BAR_WIDTH - filled), "dim")
    counts = f" {done} of {total} replaced, {coming} under way, {one['remaining']} left"
    return text.append(counts).append(f", {failed} failed" if failed else "", "red")


def which(one: Mapping[str, Any]) -> str:
    return clean(", ".join(BY_WHAT[name].format(value) for name, value in one["selection"].items()))
