"""Tables of amphorae and of pools of spares, for a terminal. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from actium_api.cli.showing import duration, short
from actium_shared.terminals import clean

STYLES = {"ALLOCATED": "green", "READY": "green", "ERROR": "bold red", "FAILOVER_STOPPED": "bold red"}
"""Any other status is on its way somewhere."""

DIGEST_LENGTH = 8


def amphorae(told: Iterable[Mapping[str, Any]], *, now: datetime) -> Table:
    columns = (
        "amphora",
        "role",
        "host",
        "status",
        "load balancers",
        "bundle",
        "last heard",
        "logs lost",
        "certificate until",
    )
    table = _table(*columns)
    for one in told:
        table.add_row(
            one["id"],
            _role(one),
            clean(one["host"] or "-"),
            _status(one),
            _carried(one),
            _bundle(one),
            _heard(one["last_heard_at"], now),
            _lost(one["logs"]),
            (one["certificate_expires_at"] or "-").partition("T")[0],
        )
    return table


def _lost(logs: Mapping[str, Any] | None) -> Text:
    """Lines of listeners' logs, and why: whom it concerns looks at the store first."""
    if logs is None:
        return Text("-", "dim")
    why = ", ".join(f"{clean(reason)} {count}" for reason, count in sorted(logs["lost"].items()))
    return Text(why, "yellow") if why else Text("none", "green")


def losses(told: Iterable[Mapping[str, Any]], *, now: datetime) -> Table:
    table = _table("amphora", "host", "verdict", "load balancers", "last heard", "why")
    for one in told:
        verdict = Text(one["verdict"], "bold red" if one["verdict"] == "lost" else "yellow")
        heard, why = _heard(one["last_heard_at"], now), clean(one["trouble"] or "-")
        table.add_row(one["id"], clean(one["host"] or "-"), verdict, _carried(one), heard, why)
    return table


def authority(told: Mapping[str, Any]) -> Text:
    if told["phase"] == "settled":
        return Text(f"edition {told['edition']}: ").append("settled", "green").append(", no replacement is under way")
    text = Text(f"edition {told['edition']}: ").append(clean(told["phase"]), "yellow")
    waiting = ", ".join(map(short, told["waits_for"]))
    return text.append(f"; waits for {waiting}" if waiting else "", "dim")


def spares(told: Iterable[Mapping[str, Any]]) -> Table:
    table = _table("pool", "wanted", "ready", "coming", "image", "flavor", "zone", "hosts", "trouble")
    for one in told:
        lacking = one["ready"] < one["size"]
        table.add_row(
            one["id"],
            str(one["size"]),
            Text(str(one["ready"]), "yellow" if lacking else "green"),
            str(one["coming"]),
            clean(one["image_tag"]),
            short(one["flavor_id"]),
            clean(one["availability_zone"] or "-"),
            clean(", ".join(one["hosts"]) or "-"),
            Text(clean(one["trouble"] or "-"), "red" if one["trouble"] else ""),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _role(one: Mapping[str, Any]) -> str:
    """Show what it was made for, and what it is where that differs: keepalived decides."""
    if one["role"] is None:
        return "spare" if one["spares_id"] else "-"
    changed = one["vrrp_state"] and one["topology"] != "SINGLE" and one["vrrp_state"] != one["role"]
    return f"{one['role']}, now {one['vrrp_state']}" if changed else str(one["role"])


def _status(one: Mapping[str, Any]) -> Text:
    text = Text(one["status"], STYLES.get(one["status"], "yellow"))
    return text.append(f" ({clean(one['trouble'])})", "red") if one["trouble"] else text


def _carried(one: Mapping[str, Any]) -> str:
    return ", ".join(clean(each["name"]) or short(each["id"]) for each in one["load_balancers"]) or "-"


def _bundle(one: Mapping[str, Any]) -> str:
    if one["bundle"] is None:
        return "-"
    return f"{one['epoch']}.{one['bundle']} {clean(one['digest'])[:DIGEST_LENGTH]}"


def _heard(at: str | None, now: datetime) -> str:
    if at is None:
        return "-"
    return f"{duration(max(0.0, (now - datetime.fromisoformat(at)).total_seconds()))} ago"
