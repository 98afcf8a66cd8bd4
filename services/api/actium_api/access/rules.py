"""
The rules by which callers may do things, as data: upstream's names, so that operators' policy files carry over.

Groups say which roles; each action refers to one group. Both can be overridden by name. How they are evaluated is in
`rule_policy`, which request needs which action in `needs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

PREFIX = "os_load-balancer_api:"
OPERATOR = "actium:operator"
DRIVER = "actium:driver"
"""The rules that upstream does not have: who may use the operator API, and who the driver API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Who: by the roles that Keystone has by itself and, where an operator asks for them, by the load-balancer ones."""

    name: str
    check: str
    with_load_balancer_roles: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    name: str
    check: str
    description: str


def _any(*names: str) -> str:
    return " or ".join(f"rule:{name}" for name in names)


GROUPS = (
    Group(name="load-balancer:owner", check="project_id:%(project_id)s"),
    Group(name="project-member", check="role:member and project_id:%(project_id)s"),
    Group(name="project-reader", check="role:reader and project_id:%(project_id)s"),
    Group(
        name="context_is_admin",
        check="role:admin",
        with_load_balancer_roles="role:admin or role:load-balancer_admin",
    ),
    Group(
        name="load-balancer:admin",
        check="is_admin:True or role:admin",
        with_load_balancer_roles="is_admin:True or role:admin or role:load-balancer_admin",
    ),
    Group(
        name="load-balancer:global_observer",
        check="role:admin",
        with_load_balancer_roles="role:load-balancer_global_observer",
    ),
    Group(
        name="load-balancer:member_and_owner",
        check="rule:project-member",
        with_load_balancer_roles="role:load-balancer_member and rule:load-balancer:owner",
    ),
    Group(
        name="load-balancer:observer_and_owner",
        # A member reads too, also where Keystone does not imply reader by member.
        check=_any("project-reader", "project-member"),
        with_load_balancer_roles="role:load-balancer_observer and rule:load-balancer:owner",
    ),
    Group(
        name="load-balancer:quota-admin",
        check="role:admin",
        with_load_balancer_roles="role:load-balancer_quota_admin",
    ),
    Group(
        name="load-balancer:read",
        check=_any(
            "load-balancer:observer_and_owner",
            "load-balancer:global_observer",
            "load-balancer:member_and_owner",
            "load-balancer:admin",
        ),
    ),
    Group(name="load-balancer:read-global", check=_any("load-balancer:global_observer", "load-balancer:admin")),
    Group(name="load-balancer:write", check=_any("load-balancer:member_and_owner", "load-balancer:admin")),
    Group(
        name="load-balancer:read-quota",
        check=_any(
            "load-balancer:observer_and_owner",
            "load-balancer:global_observer",
            "load-balancer:member_and_owner",
            "load-balancer:quota-admin",
            "load-balancer:admin",
        ),
    ),
    Group(
        name="load-balancer:read-quota-global",
        check=_any("load-balancer:global_observer", "load-balancer:quota-admin", "load-balancer:admin"),
    ),
    Group(name="load-balancer:write-quota", check=_any("load-balancer:quota-admin", "load-balancer:admin")),
)

READ, READ_GLOBAL, WRITE = "load-balancer:read", "load-balancer:read-global", "load-balancer:write"
READ_QUOTA, READ_QUOTA_GLOBAL = "load-balancer:read-quota", "load-balancer:read-quota-global"
WRITE_QUOTA, ADMIN = "load-balancer:write-quota", "load-balancer:admin"

_SHOW = {"get_one": (READ, "Show"), "post": (WRITE, "Create"), "put": (WRITE, "Update"), "delete": (WRITE, "Delete")}
_LIST = {"get_all": (READ, "List the project's"), "get_all-global": (READ_GLOBAL, "List all projects'")}
_TENANTS = _SHOW | _LIST
_BELOW = _SHOW | {"get_all": (READ, "List")}
_SITE = {name: (ADMIN, words) for name, (_, words) in _BELOW.items()}
_SITE_READ = _SITE | {"get_all": (READ, "List"), "get_one": (READ, "Show")}
_STATS = {"get_stats": (READ, "Show statistics of")}

_RESOURCES: dict[str, dict[str, tuple[str, str]]] = {
    "loadbalancer": _TENANTS
    | _STATS
    | {
        "get_status": (READ, "Show the status tree of"),
        "put_failover": (ADMIN, "Fail over"),
        "post:vip_sg_ids": (WRITE, "Choose security groups at creation of"),
        "put:vip_sg_ids": (WRITE, "Change security groups of"),
    },
    "listener": _TENANTS | _STATS,
    "pool": _TENANTS,
    "healthmonitor": _TENANTS,
    "l7policy": _TENANTS,
    "l7rule": _BELOW,
    "member": _BELOW,
    "quota": {
        "get_all": (READ_QUOTA, "List the project's"),
        "get_all-global": (READ_QUOTA_GLOBAL, "List all projects'"),
        "get_one": (READ_QUOTA, "Show"),
        "get_defaults": (READ_QUOTA, "Show the default"),
        "put": (WRITE_QUOTA, "Set"),
        "delete": (WRITE_QUOTA, "Reset"),
    },
    "provider": {"get_all": (READ, "List")},
    "provider-flavor": {"get_all": (ADMIN, "List what can be set by")},
    "provider-availability-zone": {"get_all": (ADMIN, "List what can be set by")},
    "flavor": _SITE_READ,
    "flavor-profile": _SITE,
    "availability-zone": _SITE_READ,
    "availability-zone-profile": _SITE,
    "amphora": {
        "get_all": (ADMIN, "List"),
        "get_one": (ADMIN, "Show"),
        "delete": (ADMIN, "Delete"),
        "get_stats": (ADMIN, "Show statistics of"),
        "put_config": (ADMIN, "Update the agent's configuration of"),
        "put_failover": (ADMIN, "Fail over"),
    },
}


def _actions() -> Iterator[Action]:
    for resource, actions in _RESOURCES.items():
        for action, (group, words) in actions.items():
            check = f"rule:{group}"
            if (resource, action) == ("member", "get_all"):
                check += " or role:service"  # DNS as a service reads members with it
            yield Action(name=f"{PREFIX}{resource}:{action}", check=check, description=f"{words} {resource}")
    yield Action(name=OPERATOR, check=f"rule:{ADMIN}", description="Use the operator API")
    yield Action(name=DRIVER, check=f"rule:{ADMIN}", description="Use the driver API")


ACTIONS = tuple(_actions())


def sample(*, load_balancer_roles: bool = False) -> str:
    """Give a policy file: every rule as a comment with its default; in force only those of the load-balancer roles."""
    lines = ["# Rules that differ from these defaults go into the file that ACTIUM_POLICY_FILE names.", "", "# Who"]
    for group in GROUPS:
        override = group.with_load_balancer_roles if load_balancer_roles else None
        lines.append(f'"{group.name}": "{override}"' if override else f'#"{group.name}": "{group.check}"')
    lines += ["", "# What"]
    for action in ACTIONS:
        lines += [f"# {action.description}", f'#"{action.name}": "{action.check}"']
    return "\n".join(lines) + "\n"
