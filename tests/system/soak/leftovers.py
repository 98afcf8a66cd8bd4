"""Everything that a world has of amphorae outside of its log: what was there before anybody asked for anything, is there afterwards."""

import sqlite3
import subprocess
from pathlib import Path

from actium_embedded.world import World
from actium_shared.embedded import secrets_folder
from system.worlds import TestWorld, events, namespaces_of

TABLES = {
    "network": ("addresses", "ports", "load_balancers", "routed_vips", "orders"),
    "compute": ("orders",),
}


def known_amphorae(world: TestWorld) -> set[str]:
    """Give every amphora that the log has ever told of."""
    told = (event["body"].get("amphora_id") for event in events(world))
    return {amphora_id for amphora_id in told if amphora_id}


def there(world: World) -> dict[str, list[str]]:
    """Give what the fabric and the services' tables hold."""
    fabric, router = world.fabric_namespace, world.router_namespace
    return {
        "links of the fabric": sorted(_ip(fabric, "link", "show")),
        "links of the router": sorted(_ip(router, "link", "show")),
        "routes": sorted(_ip(router, "route", "show", "table", "all")),
        "rules": _lines("ip", "netns", "exec", fabric, "nft", "list", "ruleset"),
        "amphorae": sorted(path.name for path in world.amphorae.iterdir() if path.is_dir()),
        **{f"{name}: {table}": _rows(world, name, table) for name, tables in TABLES.items() for table in tables},
    }


def of_amphorae(amphora_ids: set[str]) -> list[str]:
    """Give what these amphorae have left on the host: namespaces, keys, processes."""
    found = [name for amphora_id in amphora_ids for name in namespaces_of(amphora_id)]
    found += [str(secrets_folder(each)) for each in amphora_ids if secrets_folder(each).exists()]
    for process in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(amphora_id in command for amphora_id in amphora_ids):
            found.append(f"process {process.name}: {command}")
    return sorted(found)


def _ip(namespace: str, *question: str) -> list[str]:
    """One line for each, without what changes by itself: numbers, states, who is master."""
    lines = _lines("ip", "-n", namespace, "-o", *question)
    return [line.split(": ")[1].partition("@")[0] if question[0] == "link" else line.strip() for line in lines]


def _lines(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.strip()]


def _rows(world: World, service: str, table: str) -> list[str]:
    with sqlite3.connect(f"file:{world.data / service}.sqlite?mode=ro", uri=True) as database:
        return sorted(map(str, database.execute(f"SELECT * FROM {table}")))
