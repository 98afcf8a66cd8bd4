"""checks.json: what the agent has to know of UDP besides the kernel's rules. The field names are its API (see its `balancing`)."""

import json
from dataclasses import asdict

from actium_compute.amphora_drivers.haproxy.datagrams import Branch, Datagrams


def checks(datagrams: Datagrams) -> bytes:
    """Give the file; empty where no UDP is balanced."""
    if not datagrams.branches:
        return b""
    fields = {
        "branches": [_branch(branch) for branch in datagrams.branches],
        "listeners": datagrams.listeners,
        "pools": datagrams.pools,
        "checks": [asdict(check) for check in datagrams.checks],
    }
    return json.dumps(fields, indent=1).encode()


def _branch(branch: Branch) -> dict[str, object]:
    fields = ("member", "chain", "mark", "weight", "backup")
    return {
        "name": branch.name,
        "listener": branch.listener,
        "pool": branch.pool,
        "family": branch.family,
        "select": branch.select,
        "targets": [{name: getattr(target, name) for name in fields} for target in branch.targets],
    }
