"""What to do next for one amphora, computed afresh from what is known. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from actium_compute.facts import Facts, Stage, Stored, named_ports
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing, until something new is known."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is missing that others make; `until` is when that will have taken too long."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Boot:
    """Make the machine run and its agent answer."""

    order: Stored[BootAmphora]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It will not come."""

    order: Stored[BootAmphora]
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """It ran before we did: see whether it runs what it should."""

    configuration: Stored[ConfigureAmphora]


@dataclass(frozen=True, slots=True)
class Configure:
    order: Stored[ConfigureAmphora]


@dataclass(frozen=True, slots=True)
class Delete:
    order: Stored[DeleteAmphora]


Step = Idle | Wait | Boot | GiveUp | Check | Configure | Delete


def next_step(facts: Facts, now: datetime, *, runs: bool, checked: bool) -> Step:
    """
    Choose the step.

    `runs`: as far as we know the machine is on. `checked`: we have seen what its agent runs since we started.
    """
    if facts.stage is Stage.DELETED:
        return Idle()
    if facts.delete:
        return Delete(facts.delete)
    if facts.stage is Stage.BOOTED and runs:
        return _configure(facts, checked=checked)
    if facts.stage is Stage.FAILED or facts.boot is None:
        return Idle()
    if facts.stage is Stage.BOOTED:
        return _boot(facts, facts.boot, until=None)
    return _first_boot(facts, facts.boot, now)


def _first_boot(facts: Facts, boot: Stored[BootAmphora], now: datetime) -> Step:
    deadline = boot.received_at + timedelta(seconds=boot.order.deadline_s)
    if now >= deadline:
        return GiveUp(boot, f"not up within {boot.order.deadline_s:g} s{_missing(facts, boot.order)}")
    return _boot(facts, boot, until=deadline)


def _boot(facts: Facts, boot: Stored[BootAmphora], *, until: datetime | None) -> Step:
    return Wait(until) if _missing(facts, boot.order) else Boot(boot)


def first_configuration(facts: Facts) -> Stored[ConfigureAmphora] | None:
    """Give what a machine that has just booted should run, if that is known and everything for it is there."""
    target = facts.target
    return target if target and named_ports(target.order) <= facts.ports.keys() else None


def _missing(facts: Facts, order: BootAmphora) -> str:
    missing = {order.management_port_id, order.vip_port_id} - facts.ports.keys()
    return f"; waited for port {', '.join(sorted(missing))}" if missing else ""


def _configure(facts: Facts, *, checked: bool) -> Step:
    wish = facts.configure
    if wish is not None and wish.order.bundle > facts.settled_bundle:
        return Configure(wish) if named_ports(wish.order) <= facts.ports.keys() else Wait(None)
    target = first_configuration(facts)
    return Idle() if checked or target is None else Check(target)
