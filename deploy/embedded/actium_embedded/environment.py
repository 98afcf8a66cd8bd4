"""What a shell, or a program that we start, needs to talk to this world with the stock clients."""

import os
import shlex
from collections.abc import Mapping

from actium_embedded import keys
from actium_embedded.processes import BIN
from actium_embedded.world import World

REGION = "embedded"


def variables(world: World) -> Mapping[str, str]:
    """With Keystone, whose user it is the shell knows: `OS_*` stay as they are."""
    facades = {} if world.choices.auth == "keystone" else _facades(world)
    return {**facades, **operator_variables(world), "PATH": _path()}


def operator_variables(world: World) -> dict[str, str]:
    """What the operator command line needs."""
    where = {"ACTIUM_OPERATOR_URL": world.api_url}
    if world.choices.auth == "none":
        return where
    return where | {"ACTIUM_OPERATOR_KEY_FILE": str(keys.operator_key(world))}


def _facades(world: World) -> dict[str, str]:
    return {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": f"{world.api_url}/identity/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": "admin",
        # The facade lets anyone on loopback in and asks for no password; the client insists on sending one.
        "OS_PASSWORD": "embedded",
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": REGION,
    }


def shell_lines(world: World) -> list[str]:
    """Ours, and none of another cloud's: one left over (OS_CLOUD, OS_TOKEN) would have the last word."""
    ours = {name: value for name, value in variables(world).items() if name != "PATH"}
    others = sorted(name for name in os.environ if _is_foreign(world, name) and name not in ours)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in ours.items()]
    if others:
        lines.insert(0, f"unset {' '.join(others)}")
    if not _is_on_path():
        lines.append(f'export PATH={shlex.quote(str(BIN))}:"$PATH"')
    return lines


def for_client(world: World) -> dict[str, str]:
    """Ours in place of what the shell says of any other cloud."""
    inherited = {name: value for name, value in os.environ.items() if not _is_foreign(world, name)}
    return inherited | dict(variables(world))


def _is_foreign(world: World, name: str) -> bool:
    return name.startswith("OS_") and world.choices.auth == "none"


def _path() -> str:
    """With `openstack` on it, and no second time where a shell has been told before."""
    given = os.environ.get("PATH", os.defpath)
    return given if _is_on_path() else f"{BIN}{os.pathsep}{given}"


def _is_on_path() -> bool:
    return str(BIN) in os.environ.get("PATH", os.defpath).split(os.pathsep)
