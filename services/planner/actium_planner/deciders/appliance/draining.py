"""Ports in subnets that have no member any more: kept for a while, as requests to the last one may still be under way. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.state import ApplianceState, Outcome
from actium_shared.ids import SubnetId


def kept(state: ApplianceState, needed: frozenset[SubnetId], context: Context) -> Mapping[SubnetId, datetime]:
    """
    Give the subnets besides those needed that keep their ports, and until when.

    Nobody waits for an answer from a load balancer that is deleted: its address goes, too.
    """
    until = context.now + timedelta(seconds=context.limits.drain_s)
    plugged = frozenset[SubnetId]().union(*(amphora.plugged for amphora in state.settled()))
    deleted = (context.wishes[lb_id] for lb_id in state.load_balancers if context.wishes[lb_id].deleting)
    unneeded = plugged - needed - frozenset().union(*(wish.member_subnets() for wish in deleted))
    drained = {subnet_id: state.bundle.draining.get(subnet_id, until) for subnet_id in sorted(unneeded)}
    return {subnet_id: at for subnet_id, at in drained.items() if at > context.now}


def is_over(state: ApplianceState, context: Context) -> bool:
    """Say whether a port has been kept for long enough."""
    bundle = state.bundle
    return bundle.outcome is Outcome.APPLIED and any(at <= context.now for at in bundle.draining.values())
