"""
Says what upstream's own policy lets whom do, and which request each rule is for; run by the Python of its environment.

Reads lists of roles as JSON, writes per rule its requests and, per list and project, whether it is allowed.
"""

import json
import sys
from typing import Any

from octavia import policies
from octavia.common import config, context, exceptions, policy

OWN, OTHERS = "own", "others"


def allowed(rule: str, roles: list[str], project_id: str) -> bool:
    """Say whether somebody of project `own` with these roles may, to what is this project's."""
    caller = context.RequestContext(user_id="u", project_id=OWN, roles=roles)
    try:
        return bool(policy.get_enforcer().authorize(rule, {"project_id": project_id}, caller))
    except exceptions.PolicyForbidden:
        return False


def main() -> None:
    config.cfg.CONF([], project="octavia", default_config_files=[], default_config_dirs=[])
    said: dict[str, Any] = {}
    lists = json.load(sys.stdin)
    for rule in policies.list_rules():
        if ":" in rule.name and getattr(rule, "operations", None):
            requests = [[each["method"], each["path"]] for each in rule.operations]
            answers = [[allowed(rule.name, roles, project) for project in (OWN, OTHERS)] for roles in lists]
            said[rule.name] = {"requests": requests, "allowed": answers}
    json.dump(said, sys.stdout)


main()
