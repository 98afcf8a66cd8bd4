"""Runs the stock `openstack` command against the world, as its users do."""

import json
import subprocess
from typing import Any

from actium_embedded.environment import for_client
from actium_embedded.errors import WorldError
from actium_embedded.processes import BIN
from actium_embedded.world import World

TIMEOUT_S = 180.0
"""`--wait` has a deadline of its own (300 s by default), far beyond what anything takes here."""


def openstack(world: World, *words: str) -> Any:
    """
    Run one command and give what it printed, decoded.

    Raises:
        WorldError: it failed; the sentence carries the client's own words.
    """
    command = [str(BIN / "openstack"), *words, "-f", "json"]
    shown = f"openstack {' '.join(words)}"
    try:
        done = subprocess.run(
            command, env=for_client(world), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise WorldError(f"`{shown}` took longer than {TIMEOUT_S:.0f} s") from exc
    if done.returncode != 0:
        raise WorldError(f"`{shown}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout or "null")
