"""When to look at a rollout again. It orders nothing itself: appliances and pools follow its events."""

from datetime import datetime, timedelta

from actium_planner.deciders.rollout import RolloutState, Status, deadlines
from actium_planner.plans import Plan

LOOK_AGAIN_S = 5.0
"""While it waits for amphorae that boot, or that another rollout replaces: what becomes of them tells it nothing."""


def plan(state: RolloutState, now: datetime) -> Plan:
    """Give when the next thing may happen to it."""
    wake_at = min(deadlines(state), default=None)
    idle = state.status is Status.RUNNING and state.is_active and not state.under_way
    if idle and (wake_at is None or wake_at <= now):
        wake_at = now + timedelta(seconds=LOOK_AGAIN_S)
    return Plan(wake_at=wake_at)
