"""L7 rules: created, updated, deleted."""

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation import l7_rule as validation
from actium_planner.validation.changes import apply_changes
from actium_planner.validation.refusals import conflict, missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events

Command = commands.CreateL7Rule | commands.UpdateL7Rule | commands.DeleteL7Rule


def decide(command: Command, state: LoadBalancerState) -> Decision:
    match command:
        case commands.CreateL7Rule():
            return _create(command, state)
        case commands.UpdateL7Rule():
            return _update(command, state)
        case commands.DeleteL7Rule():
            return _delete(command, state)


def _create(command: commands.CreateL7Rule, state: LoadBalancerState) -> Decision:
    held = state.l7_policies.get(command.l7_policy_id)
    if held is None:
        return missing("L7 policy", command.l7_policy_id)
    if command.l7_rule.id in held.rules:
        return []
    refusal = validation.validate(command.l7_rule)
    if refusal is not None:
        return refusal
    if len(held.rules) >= validation.MOST_RULES:
        return conflict(f"L7 policy {command.l7_policy_id} has {validation.MOST_RULES} rules already, the most it can.")
    return [
        events.L7RuleCreated(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            l7_policy_id=command.l7_policy_id,
            l7_rule=command.l7_rule,
        )
    ]


def _update(command: commands.UpdateL7Rule, state: LoadBalancerState) -> Decision:
    held = state.l7_policies.get(command.l7_policy_id)
    rule = held.rules.get(command.l7_rule_id) if held is not None else None
    if rule is None:
        return missing("L7 rule", command.l7_rule_id)
    merged = apply_changes(rule, command.changes)
    if merged == rule:
        return []
    changed = validation.settled(merged)
    refusal = validation.validate(changed)
    if refusal is not None:
        return refusal
    return [
        events.L7RuleUpdated(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            l7_policy_id=command.l7_policy_id,
            l7_rule=changed,
        )
    ]


def _delete(command: commands.DeleteL7Rule, state: LoadBalancerState) -> Decision:
    held = state.l7_policies.get(command.l7_policy_id)
    if held is None or command.l7_rule_id not in held.rules:
        return missing("L7 rule", command.l7_rule_id)
    return [
        events.L7RuleRemoved(
            load_balancer_id=command.load_balancer_id,
            generation=state.next_generation,
            l7_policy_id=command.l7_policy_id,
            l7_rule_id=command.l7_rule_id,
        )
    ]
