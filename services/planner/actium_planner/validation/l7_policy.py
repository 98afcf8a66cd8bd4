"""L7 policies: what an action needs, what an update implies, and which listeners can have them."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import UNSET
from msgspec.structs import replace

from actium_planner.validation.changes import apply_changes
from actium_planner.validation.grammar import URL, matches, one_of, within
from actium_planner.validation.listener import HasPool, validate_pool
from actium_planner.validation.refusals import Refusals, invalid, missing
from actium_shared.commands.planner import L7PolicyChanges
from actium_shared.ids import PoolId
from actium_shared.message import Rejected
from actium_shared.wishes import L7Policy, Listener

TO_POOL, TO_URL, TO_PREFIX, REJECT = "REDIRECT_TO_POOL", "REDIRECT_TO_URL", "REDIRECT_PREFIX", "REJECT"
POOL_TARGET = "redirect_pool_id"
TARGETS = {TO_POOL: POOL_TARGET, TO_URL: "redirect_url", TO_PREFIX: "redirect_prefix"}
ACTIONS = frozenset({*TARGETS, REJECT})
FORGIVEN: Mapping[str, AbstractSet[str]] = {
    TO_POOL: {POOL_TARGET, "redirect_url"},
    TO_URL: {POOL_TARGET, "redirect_url", "redirect_prefix"},
}
"""Targets that may be named together with this action: all but its own are dropped."""

CODES = frozenset({301, 302, 303, 307, 308})
DEFAULT_CODE = 302


def settled_new(policy: L7Policy) -> L7Policy | Rejected:
    """Give the policy with what its action leaves open filled in, and without other actions' targets."""
    named = {name for name in TARGETS.values() if getattr(policy, name) is not None}
    refusal = _contradiction(policy.action, named)
    if refusal is not None:
        return refusal
    code = DEFAULT_CODE if policy.redirect_http_code is None else policy.redirect_http_code
    if policy.action == REJECT:
        return _aimed(policy, policy.redirect_http_code)  # given back as it was sent, and of no effect
    return _aimed(policy, code)


def settled(held: L7Policy, changes: L7PolicyChanges) -> L7Policy | Rejected:
    """Give the policy with the changes over it; a target that is sent without an action implies one."""
    named = {name for name in TARGETS.values() if getattr(changes, name) not in (UNSET, None)}
    sent = None if changes.action is UNSET else changes.action
    refusal = _contradiction(sent, named)
    if refusal is not None:
        return refusal
    implied = next((action for action, target in TARGETS.items() if target in named), held.action)
    changed = replace(apply_changes(held, changes), action=sent or implied)
    code = changed.redirect_http_code
    if changed.action == REJECT:
        return _aimed(changed, code if held.action == REJECT else None)
    return _aimed(changed, DEFAULT_CODE if code is None and changes.redirect_http_code is UNSET else code)


def _aimed(policy: L7Policy, code: int | None) -> L7Policy:
    """Give the policy with its own action's target alone; pools are not redirected to by a code."""
    own = TARGETS.get(policy.action)
    others = {name: None for name in TARGETS.values() if name != own}
    return replace(policy, redirect_http_code=None if policy.action == TO_POOL else code, **others)


def _contradiction(action: str | None, named: AbstractSet[str]) -> Rejected | None:
    if len(named) < 2 or (action is not None and named <= FORGIVEN.get(action, set())):
        return None
    if POOL_TARGET in named or action is None:
        first, second = sorted(named)[:2]
        return invalid(f"{first} and {second} cannot be sent together: a policy has one target.", field=second)
    return None


def validate(policy: L7Policy, listener: Listener, pools: Mapping[PoolId, HasPool]) -> Rejected | None:
    """Give the refusal, or nothing when the listener may have such a policy."""
    return next(_refusals(policy, listener, pools), None)


def _refusals(policy: L7Policy, listener: Listener, pools: Mapping[PoolId, HasPool]) -> Refusals:
    if listener.protocol == "PROMETHEUS":
        yield invalid("A listener of protocol PROMETHEUS cannot have L7 policies.", field="listener_id")
    yield from one_of("action", policy.action, ACTIONS)
    yield from within("position", policy.position, 1)
    target = TARGETS.get(policy.action)
    if target is not None and not getattr(policy, target):
        yield invalid(f"An L7 policy with action {policy.action} needs {target}.", field=target)
    for name in ("redirect_url", "redirect_prefix"):
        yield from matches(name, getattr(policy, name), URL, "an http or https URL")
    if policy.redirect_http_code is not None:
        yield from one_of("redirect_http_code", str(policy.redirect_http_code), {str(code) for code in CODES})
    yield from _redirect_pool(policy, listener, pools)


def _redirect_pool(policy: L7Policy, listener: Listener, pools: Mapping[PoolId, HasPool]) -> Refusals:
    if policy.redirect_pool_id is None:
        return
    held = pools.get(policy.redirect_pool_id)
    if held is None:
        yield missing("Pool", policy.redirect_pool_id)
        return
    refusal = validate_pool(listener, held.pool, field=POOL_TARGET)
    if refusal is not None:
        yield refusal
