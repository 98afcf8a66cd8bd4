"""Lines, stories and services as text for a terminal; plain where there is no colour. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from actium_shared.terminals import clean

SHORT_ID_LENGTH = 8
TYPE_WIDTH = 32
LONG_PAUSE_S = 60.0
"""A story says in a line of its own that so much time went by."""

COLOURS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("failed", "refused", "unreadable"), "bold red"),
    (("deleted", "deletion-requested", "removed", "released", "dismissed", "retired", "vanished"), "yellow"),
    (("round-ended", "placed", "bundle-applied", "booted", "configured"), "green"),
    (("health.",), "magenta"),
)
"""The first whose words occur in a type's name."""


def line(event: Mapping[str, Any], *, with_cause: bool = True) -> Text:
    """Show one event of the stream; actor and cause are the same for all of one commit."""
    load_balancer = short(event["load_balancer_id"])
    text = Text()
    text.append(time(event["time"]), "dim")
    text.append(f"  {load_balancer:{SHORT_ID_LENGTH}}  ", "blue")
    text.append(f"{clean(event['type']):{TYPE_WIDTH}}", colour(event["type"]))
    own = short(event["aggregate_id"])
    if own != load_balancer:
        text.append(f" {own}", "blue")
    return text.append_text(_words(event, who=event["words"]["who"], with_cause=with_cause))


def _words(event: Mapping[str, Any], *, who: str, with_cause: bool = True) -> Text:
    words = event["words"]
    text = Text(f" {clean(words['what'])}")
    behind = ", ".join(part for part in (clean(who) if who != "actium" else "", clean(words["why"])) if part)
    return text.append(f"  ({behind})", "dim") if behind and with_cause else text


def story(told: Mapping[str, Any]) -> Iterator[Text]:
    """Show a load balancer's story, a line an event; the events of one commit share its times, actor and cause."""
    events = told["events"]
    yield _title(told, events)
    previous = None
    for step in events:
        event = step["event"]
        if step["since_previous_s"] > LONG_PAUSE_S:
            yield Text(f"{'':12} ... {duration(step['since_previous_s'])} later", "dim")
        yield _step(step, first=event["position"] != previous)
        previous = event["position"]


def _title(told: Mapping[str, Any], events: list[Mapping[str, Any]]) -> Text:
    text = Text()
    text.append(clean(told["name"] or "(without a name)"), "bold")
    text.append(f"  {clean(told['load_balancer_id'])}", "blue")
    lasted = duration(events[-1]["since_start_s"])
    text.append(f"\nfrom {time(events[0]['event']['time'])} UTC on, {len(events)} events in {lasted}", "dim")
    return text.append(", deleted at the end", "yellow") if told["deleted"] else text


def _step(step: Mapping[str, Any], *, first: bool) -> Text:
    event = step["event"]
    since_start = f"+{duration(step['since_start_s'])}" if first else ""
    since_previous = f"({duration(step['since_previous_s'])})" if first and step["since_previous_s"] else ""
    text = Text()
    text.append(f"{since_start:>12} ", "bold")
    text.append(f"{since_previous:>12}  ", "dim")
    text.append(f"{clean(event['type']):{TYPE_WIDTH}}", colour(event["type"]))
    return text.append_text(_words(event, who=step["who"], with_cause=first))


def positions(told: Mapping[str, Any]) -> Table:
    """Show a line for each stream: its end, and in the services' columns where they stand."""
    readers = [name for name, standing in told["services"].items() if standing]
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("stream", "ends at", *readers):
        table.add_column(column, justify="left" if column == "stream" else "right")
    for stream, end in told["streams"].items():
        standing = [told["services"][name].get(stream) for name in readers]
        table.add_row(stream, str(end), *(_standing(each, end) for each in standing))
    return table


def _standing(position: int | None, end: int) -> Text:
    if position is None:
        return Text("-", "dim")
    return Text(str(position), "yellow" if position < end else "green")


def services(statuses: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("service", "state", "started", "parked", "behind the log by", "facts"):
        table.add_column(column, justify="right" if column == "parked" else "left")
    for one in statuses:
        state = Text("healthy", "green") if one["healthy"] else Text("not healthy", "bold red")
        detail = Text(f" ({clean(one['detail'])})") if one["detail"] else Text("")
        started = time(one["started_at"]) if one["started_at"] else "-"
        parked = str(one["parked"]) if one["healthy"] else "-"
        table.add_row(one["name"], state + detail, started, parked, _lag(one["lag"]), _facts(one["facts"]))
    return table


def _lag(lag: Mapping[str, int]) -> Text:
    behind = ", ".join(f"{stream}: {number}" for stream, number in lag.items() if number)
    if behind:
        return Text(behind, "yellow")
    return Text("nothing" if lag else "-", "dim")


def _facts(facts: Mapping[str, Any]) -> Text:
    return Text(clean(", ".join(_told(facts))), "dim")


def _told(facts: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Name what there is, and count what lies deeper; the rest, and that there is none, is left to the JSON."""
    for name, value in facts.items():
        if isinstance(value, Mapping) and not prefix:
            yield from _told(value, f"{name}.")
        elif value:
            yield f"{prefix}{name} {len(value) if isinstance(value, Mapping) else value}"


def secrets(kept: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("ref", "name", "kind", "good until", "content", "used by"):
        table.add_column(column, overflow="fold")
    for one in kept:
        until = one["expires_at"].partition("T")[0] if one["expires_at"] else "-"
        users = ", ".join(clean(user["name"] or short(user["id"])) for user in one["used_by"])
        shown = (clean(one["ref"]), clean(one["name"]), one["kind"], until, short(one["digest"]), users or "-")
        table.add_row(*map(Text, shown))
    return table


def dead_letter(letter: Mapping[str, Any]) -> Text:
    text = Text(f"{letter['id']:>5}  ").append(time(letter["parked_at"]), "dim")
    text.append(f"  {letter['service']:8} ")
    text.append(f"{clean(letter['type'] or '?'):{TYPE_WIDTH}}", "cyan")
    text.append(f" {clean(letter['position'])}", "blue")
    text.append(f"  {clean(letter['reason'])}", "red")
    if decision := letter["decision"]:
        text.append(f"  {decision['word']} by {clean(decision['by'])}: {clean(decision['reason'])}", "green")
    return text


def time(text: str) -> str:
    """Show a time of the API: UTC, to the millisecond."""
    return datetime.fromisoformat(text).isoformat(sep=" ", timespec="milliseconds").partition("+")[0]


def duration(seconds: float) -> str:
    """Show a duration in the two largest units that matter."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    for unit, length, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} {seconds % length // part:.0f} {smaller}"
    raise AssertionError


def short(identifier: str | None) -> str:
    return clean(identifier)[:SHORT_ID_LENGTH] if identifier else "-"


def colour(event_type: str) -> str:
    for marks, style in COLOURS:
        if any(mark in event_type for mark in marks):
            return style
    return "cyan"
