"""Who has the addresses: the one that is told to, or in a pair the one whose keepalived says that it is MASTER."""

from collections.abc import Sequence
from datetime import timedelta

from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.state import BACKUP, MASTER, AmphoraState, ApplianceState
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.events.health import AmphoraRoleChanged
from actium_shared.ids import AmphoraId


def next_holder(state: ApplianceState) -> AmphoraId | None:
    """
    Give who shall have the VIPs in a bundle that is cut now.

    The one that has them keeps them as long as it serves. Nobody gets them while one that had them may still answer.
    """
    if state.is_pair:
        return None
    current = state.amphorae.get(state.bundle.holder) if state.bundle.holder is not None else None
    if current is not None and current.serves:
        return current.id
    if any(amphora.at_large for amphora in state.amphorae.values()):
        return None
    heirs = sorted(state.serving(), key=lambda each: (not each.settled, each.leaving, not each.joined, each.id))
    return heirs[0].id if heirs else None


def changed(trigger: AmphoraRoleChanged, state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Note what an amphora of a pair says that it is; two masters are given a deadline."""
    assert state.id is not None
    amphora = state.amphorae.get(trigger.amphora_id)
    if not state.is_pair or amphora is None or not amphora.serves or amphora.word == trigger.role:
        return []
    others = [other for other in state.masters() if other.id != amphora.id]
    split = trigger.role == MASTER and others
    deadline_at = context.now + timedelta(seconds=context.limits.split_s) if split else None
    return [
        events.MasterChanged(appliance_id=state.id, amphora_id=amphora.id, role=trigger.role, deadline_at=deadline_at)
    ]


def is_split(state: ApplianceState) -> bool:
    """Say whether two say that they are master, and a deadline runs for it."""
    return len(state.masters()) > 1 and state.split_by is not None


def end_split(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Keep the one that became master last: the others are more likely cut off, and do not know that it is there."""
    assert state.id is not None
    masters = state.masters()
    kept = state.newest_master if state.newest_master in {each.id for each in masters} else masters[0].id
    reason = f"two amphorae say that they are MASTER: {kept} was the last to become it, and is kept"
    fence_by = context.now + timedelta(seconds=context.limits.bundle_s)
    return [
        events.AmphoraDismissed(appliance_id=state.id, amphora_id=amphora.id, reason=reason, fence_by=fence_by)
        for amphora in masters
        if amphora.id != kept
    ]


def is_master(state: ApplianceState, amphora: AmphoraState) -> bool:
    """Say whether an amphora of a pair has the VIPs, as far as is known: without any word it is the one named so."""
    if not state.is_pair:
        return False
    if amphora.word:
        return amphora.word == MASTER
    return amphora.role == MASTER and not state.masters()


def learning(state: ApplianceState) -> list[AmphoraState]:
    """
    Give newcomers to a pair who have not said yet that they could be master: they still learn who is on which member.

    Where nobody says anything of itself there is nothing to wait for.
    """
    if not state.is_pair or not any(amphora.word for amphora in state.serving()):
        return []
    return [amphora for amphora in state.staying() if amphora.settled and amphora.word not in (MASTER, BACKUP)]


def has_another_master(state: ApplianceState, amphora: AmphoraState) -> bool:
    """Say whether one that stays is master beside this one, or instead of it."""
    return any(other.id != amphora.id and not other.leaving for other in state.masters())
