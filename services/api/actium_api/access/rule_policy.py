"""
The rules of `rules`, some of them overridden by an operator's file, compiled and evaluated by oslo.policy.

Read once, at start: a file that changes counts from the next start on.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from oslo_config import cfg
from oslo_policy import policy

from actium_api.access import rules
from actium_api.access.callers import Identity
from actium_api.access.lru import Lru
from actium_shared.errors import SettingsError

DECISIONS_KEPT = 20_000
"""Of everybody together, some MB: an administrator may walk through all projects' load balancers, and many may come."""

PROJECT_LONGEST = 64
"""A longer one comes from nowhere but a filter, and is not worth the memory."""

ASKS_A_SERVER = re.compile(r"(^|[\s(])https?:")


class RulePolicy:
    """Answers are remembered: neither an identity nor the rules can change."""

    def __init__(self, overrides: Mapping[str, str] | None = None, *, load_balancer_roles: bool = False) -> None:
        """Take the defaults and what stands in their place; the load-balancer roles are let in beside the others."""
        conf = cfg.ConfigOpts()
        conf([], project="actium", default_config_files=[], default_config_dirs=[])
        self._enforcer = policy.Enforcer(conf, use_conf=False)
        self._enforcer.register_defaults(list(_defaults(load_balancer_roles=load_balancer_roles)))
        checks = {name: rule.check for name, rule in self._enforcer.registered_rules.items()}
        checks |= policy.Rules.from_dict(dict(overrides or {}))
        self._enforcer.set_rules(checks, use_conf=False)
        self.decisions: Lru[tuple[object, ...], bool] = Lru(DECISIONS_KEPT)

    @classmethod
    def from_file(cls, path: Path | None, *, load_balancer_roles: bool = False) -> Self:
        """
        Read an operator's overrides.

        Raises:
            SettingsError: the file cannot be read or understood; the sentence says what is wrong in it.
        """
        overrides = {} if path is None else _overrides(path)
        made = cls(overrides, load_balancer_roles=load_balancer_roles)
        made.check(path)
        return made

    def allows(self, identity: Identity, action: str, project_id: str | None) -> bool:
        key = (identity.known_as, action, project_id)
        known = self.decisions.get(key)
        if known is None:
            # Without the key, a rule that asks for the thing's project is not met: not even by a caller without one.
            target = {"project_id": project_id} if project_id else {}
            known = bool(self._enforcer.enforce(action, target, _credentials(identity)))
            if project_id is None or len(project_id) <= PROJECT_LONGEST:
                self.decisions.put(key, known)
        return known

    def check(self, path: Path | None) -> None:
        """
        Look for references to rules that do not exist, and for circles.

        Raises:
            SettingsError: there is one.
        """
        try:
            self._enforcer.check_rules(raise_on_violation=True)
        except policy.InvalidDefinitionError as exc:
            raise _wrong(path, f"rules refer to rules that do not exist, or in a circle: {exc}") from exc


def _defaults(*, load_balancer_roles: bool) -> Iterator[policy.RuleDefault]:
    for group in rules.GROUPS:
        check = group.check
        if load_balancer_roles and group.with_load_balancer_roles:
            check = f"({check}) or ({group.with_load_balancer_roles})"
        yield policy.RuleDefault(group.name, check)
    for action in rules.ACTIONS:
        # An administrator of one domain is none of the whole site.
        yield policy.RuleDefault(action.name, action.check, scope_types=["project", "system"])


def _credentials(identity: Identity) -> dict[str, Any]:
    return {
        **identity.more,
        "user_id": identity.user_id,
        "project_id": identity.project_id or None,
        "roles": sorted(identity.roles),
        "is_admin": False,
    }


def _overrides(path: Path) -> dict[str, str]:
    try:
        content = policy.parse_file_contents(path.read_text())
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        raise _wrong(path, str(exc)) from exc
    if not isinstance(content, dict):
        raise _wrong(path, "it must be a mapping of rules' names to checks")
    ours = {action.name for action in rules.ACTIONS}
    for name, check in content.items():
        if not isinstance(name, str) or not isinstance(check, str):
            raise _wrong(path, f"rule {name!r}: name and check must be texts")
        if name.startswith((rules.PREFIX, "actium:")) and name not in ours:
            raise _wrong(path, f"there is no rule {name!r}; `./actium policy sample` lists them")
        if ASKS_A_SERVER.search(check):
            raise _wrong(path, f"rule {name!r}: a check that asks a server would hold up all requests")
        if check.strip() != "!" and str(policy.RuleDefault(name, check).check) == "!":
            raise _wrong(path, f"rule {name!r}: cannot understand the check {check!r}")
    return content


def _wrong(path: Path | None, why: str) -> SettingsError:
    return SettingsError(f"policy file {path}: {why}" if path else f"policy: {why}")
