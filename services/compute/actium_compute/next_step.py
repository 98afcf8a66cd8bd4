"""What to do next for one amphora, computed afresh from what is known. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from actium_compute.facts import Facts, Stage, Stored, named_ports
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora

RENEW_BEFORE = timedelta(days=10)
"""A third of a certificate's life: that long an agent may be out of reach and still be trusted afterwards."""


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
class Renew:
    """Give its agent a new certificate before the old one ends."""

    order: Stored[BootAmphora]


@dataclass(frozen=True, slots=True)
class Restart:
    """It runs, but it and we do not trust each other any more: off and on again, with new certificates."""

    order: Stored[BootAmphora]


@dataclass(frozen=True, slots=True)
class Delete:
    order: Stored[DeleteAmphora]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long before its end a certificate is renewed, and of which edition of our credentials all shall be."""

    renew_before: timedelta = RENEW_BEFORE
    edition: int = 1


Work = Boot | GiveUp | Check | Configure | Renew | Restart | Delete
Step = Idle | Wait | Work


def next_step(
    facts: Facts, now: datetime, *, runs: bool, checked: bool, locked_out: bool = False, terms: Terms = Terms()
) -> Step:
    """
    Choose the step.

    `runs`: as far as we know the machine is on. `checked`: we have seen what its agent runs since we started.
    `locked_out`: its agent cannot prove to be it, since what certified it is gone.
    """
    if facts.stage is Stage.DELETED:
        return Idle()
    if facts.delete:
        return Delete(facts.delete)
    if facts.fence or facts.stage is Stage.FENCED:
        return Idle()  # `fencing` sees to it, and nothing else is wanted of it any more
    if facts.stage is Stage.BOOTED and runs and not locked_out:
        step = _configure(facts, checked=checked)
        return _renewal(facts, now, terms) if isinstance(step, Idle) else step
    if facts.stage is Stage.FAILED or facts.boot is None:
        return Idle()
    if facts.stage is Stage.BOOTED:
        step = _boot(facts, facts.boot, until=None)
        return Restart(facts.boot) if runs and isinstance(step, Boot) else step
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


def is_renewal_due(facts: Facts, now: datetime, terms: Terms) -> bool:
    """Tell whether a booted amphora shall have new credentials."""
    ends_at = facts.certificate_expires_at
    return ends_at is not None and (now >= ends_at - terms.renew_before or facts.credentials_edition < terms.edition)


def _renewal(facts: Facts, now: datetime, terms: Terms) -> Step:
    return Renew(facts.boot) if facts.boot and is_renewal_due(facts, now, terms) else Idle()


def _missing(facts: Facts, order: BootAmphora) -> str:
    named = (order.management_port_id, order.vip_port_id)
    missing = {port_id for port_id in named if port_id is not None} - facts.ports.keys()
    return f"; waited for port {', '.join(sorted(missing))}" if missing else ""


def _configure(facts: Facts, *, checked: bool) -> Step:
    wish = facts.configure
    if wish is not None and wish.order.bundle > facts.settled_bundle:
        return Configure(wish) if named_ports(wish.order) <= facts.ports.keys() else Wait(None)
    target = first_configuration(facts)
    return Idle() if checked or target is None else Check(target)
