"""L7 rules: which comparisons, keys and values go with a type."""

import re
from dataclasses import dataclass

from msgspec.structs import replace

from actium_planner.validation.grammar import matches, one_of, printable
from actium_planner.validation.refusals import Refusals, invalid
from actium_shared.message import Rejected
from actium_shared.wishes import L7Rule

COMPARISONS = frozenset({"CONTAINS", "ENDS_WITH", "EQUAL_TO", "REGEX", "STARTS_WITH"})
EQUAL = frozenset({"EQUAL_TO"})
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
NAME_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9\-]*")
TRUE = re.compile(r"true", re.IGNORECASE)
NUMBER = re.compile(r"[0-9]+")

LONGEST = 255
MOST_RULES = 50
"""Per policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """`key`: the form that a key must have; without it `ignores_key` tells whether one may be sent at all."""

    comparisons: frozenset[str] = COMPARISONS
    key: re.Pattern[str] | None = None
    ignores_key: bool = False
    value: re.Pattern[str] | None = None
    wanted: str = ""


KINDS = {
    "HOST_NAME": _Kind(ignores_key=True),
    "PATH": _Kind(ignores_key=True),
    "FILE_TYPE": _Kind(comparisons=frozenset({"REGEX", "EQUAL_TO"}), ignores_key=True),
    "HEADER": _Kind(key=HEADER_NAME),
    "COOKIE": _Kind(key=HEADER_NAME),
    "SSL_CONN_HAS_CERT": _Kind(comparisons=EQUAL, value=TRUE, wanted="true"),
    "SSL_VERIFY_RESULT": _Kind(comparisons=EQUAL, value=NUMBER, wanted="a number that is not negative"),
    "SSL_DN_FIELD": _Kind(key=NAME_FIELD),
}


def settled(rule: L7Rule) -> L7Rule:
    """Give the changed rule without a key that its type does not look at."""
    kind = KINDS.get(rule.type)
    return replace(rule, key=None) if kind is not None and kind.ignores_key else rule


def validate(rule: L7Rule) -> Rejected | None:
    """Give the refusal, or nothing when a policy may have such a rule."""
    return next(_refusals(rule), None)


def _refusals(rule: L7Rule) -> Refusals:
    yield from one_of("type", rule.type, KINDS)
    kind = KINDS[rule.type]
    if rule.compare_type not in kind.comparisons:
        known = ", ".join(sorted(kind.comparisons))
        yield invalid(f"Rules of type {rule.type} compare by {known}.", field="compare_type")
    for name, text in (("key", rule.key), ("value", rule.value)):
        yield from printable(name, text)
        if text is not None and len(text) > LONGEST:
            yield invalid(f"{name} must not be longer than {LONGEST} characters.", field=name)
    yield from _key(rule, kind)
    yield from _value(rule, kind)


def _key(rule: L7Rule, kind: _Kind) -> Refusals:
    if kind.key is not None:
        if not rule.key:
            yield invalid(f"Rules of type {rule.type} need a key.", field="key")
        yield from matches("key", rule.key, kind.key, f"a name that a rule of type {rule.type} can look up")
    elif rule.key is not None and not kind.ignores_key:
        yield invalid(f"Rules of type {rule.type} have no key.", field="key")


def _value(rule: L7Rule, kind: _Kind) -> Refusals:
    if not rule.value:
        yield invalid("value must not be empty.", field="value")
    if kind.value is not None:
        yield from matches("value", rule.value, kind.value, kind.wanted)
    if rule.compare_type == "REGEX":
        try:
            re.compile(rule.value)
        except (re.error, RecursionError, OverflowError) as exc:
            yield invalid(f"value is not a regular expression: {exc}.", field="value")
