"""L7 rules as clients send them: what a request must look like."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from actium_api.faults import Fault, invalid
from actium_api.schemas import regular_expressions
from actium_api.schemas.fields import Body, Create, Flag, Line, ProjectName, Tags, changes
from actium_shared.commands.planner import L7RuleChanges
from actium_shared.ids import L7RuleId
from actium_shared.wishes import L7Rule

Type = Literal[
    "COOKIE", "FILE_TYPE", "HEADER", "HOST_NAME", "PATH", "SSL_CONN_HAS_CERT", "SSL_DN_FIELD", "SSL_VERIFY_RESULT"
]
CompareType = Literal["CONTAINS", "ENDS_WITH", "EQUAL_TO", "REGEX", "STARTS_WITH"]
COMPARISONS: Mapping[str, tuple[str, ...]] = {
    "FILE_TYPE": ("REGEX", "EQUAL_TO"),
    "SSL_CONN_HAS_CERT": ("EQUAL_TO",),
    "SSL_VERIFY_RESULT": ("EQUAL_TO",),
}
"""Where not all can be had."""

WITH_KEY = ("COOKIE", "HEADER", "SSL_DN_FIELD")
WITHOUT_KEY = ("SSL_CONN_HAS_CERT", "SSL_VERIFY_RESULT")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_DN_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]*", re.ASCII)
_HEADER_VALUE = re.compile(r'[!#-~]+|"[ !#-~]*"', re.ASCII)
_COOKIE_VALUE = re.compile(r'[!#-+\--:<-\[\]-~]+|"[!#-+\--:<-\[\]-~]*"', re.ASCII)
_RESULT = re.compile(r"\d{1,9}", re.ASCII)


class NestedL7Rule(Create):
    """A rule in a load balancer's create."""

    type: Type
    compare_type: CompareType
    key: Line | None = None
    value: Line
    invert: Flag = False
    admin_state_up: Flag = True
    tags: Tags = ()

    def wish(self, rule_id: str) -> L7Rule:
        """Give the rule that is wished for."""
        return L7Rule(
            id=L7RuleId(rule_id),
            type=self.type,
            compare_type=self.compare_type,
            key=self.key,
            value=self.value,
            invert=self.invert,
            admin_state_up=self.admin_state_up,
            tags=self.tags,
        )


class L7RulePost(NestedL7Rule):
    """A rule of a policy that exists."""

    project_id: ProjectName | None = None
    tenant_id: ProjectName | None = None


class L7RulePut(Body):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {"invert": False, "admin_state_up": False, "tags": ()}

    type: Type = "PATH"
    compare_type: CompareType = "EQUAL_TO"
    key: Line | None = None
    value: Line = ""
    invert: Flag = False
    admin_state_up: Flag = True
    tags: Tags = ()

    def changes(self, stored: Mapping[str, Any]) -> L7RuleChanges:
        """Give what shall change; a key that the rule's type does not use is cleared."""
        whole = changes(self, {})
        if whole.get("type", stored["type"]) not in (*WITH_KEY, *WITHOUT_KEY):
            whole["key"] = None
        return L7RuleChanges(**whole)


def check(body: NestedL7Rule) -> None:
    """
    Refuse a key, comparison or value that the rule's type cannot use.

    Raises:
        Fault: 400.
    """
    _check(body.type, body.compare_type, key=body.key, value=body.value)


def check_change(body: L7RulePut, *, stored: Mapping[str, Any]) -> None:
    """
    Like `check`, for what a rule becomes that shows `stored`.

    Raises:
        Fault: 400.
    """
    merged = {**stored, **{name: getattr(body, name) for name in body.model_fields_set}}
    _check(merged["type"], merged["compare_type"], key=merged["key"], value=merged["value"])


def _check(kind: str, comparison: str, *, key: str | None, value: str) -> None:
    allowed = COMPARISONS.get(kind)
    if allowed is not None and comparison not in allowed:
        raise invalid("compare_type", comparison, f"A rule of type {kind} takes {' or '.join(allowed)}.")
    _check_key(kind, key)
    if comparison == "REGEX":
        _check_expression(value)
    else:
        _check_value(kind, value)


def _check_key(kind: str, key: str | None) -> None:
    if kind in WITHOUT_KEY and key is not None:
        raise invalid("key", key, f"A rule of type {kind} has no key.")
    if kind not in WITH_KEY:
        return
    if not key:
        raise Fault(400, f"key is needed for a rule of type {kind}.")
    if kind == "SSL_DN_FIELD" and not _DN_FIELD.fullmatch(key):
        raise invalid("key", key, "It must begin with a letter and go on with letters, digits and dashes.")
    if kind in ("HEADER", "COOKIE") and not _NAME.fullmatch(key):
        raise invalid("key", key, "It must be a name as HTTP headers have: letters, digits and !#$%&'*+-.^_`|~.")


def _check_value(kind: str, value: str) -> None:
    match kind:
        case "SSL_CONN_HAS_CERT":
            right, wanted = value.lower() == "true", "It must be true: invert the rule for the opposite."
        case "SSL_VERIFY_RESULT":
            right, wanted = bool(_RESULT.fullmatch(value)), "It must be a whole number of 0 or more."
        case "SSL_DN_FIELD":
            right, wanted = bool(value), "It must not be empty."
        case "COOKIE":
            right = bool(_COOKIE_VALUE.fullmatch(value))
            wanted = "It must be a cookie's value: printable ASCII without blank, comma, semicolon and backslash."
        case _:
            right = bool(_HEADER_VALUE.fullmatch(value))
            wanted = "It must be printable ASCII, without blanks unless all of it stands in double quotes."
    if not right:
        raise invalid("value", value, wanted)


def _check_expression(value: str) -> None:
    wrong = regular_expressions.why_not(value)
    if wrong is not None:
        raise invalid("value", value, f"It must be a regular expression: {wrong}.")
