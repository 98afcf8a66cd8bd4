"""Settings of services that are given to `up` as environment variables, by name: quotas, drivers, limits and whatever else they have."""

import dataclasses
import os
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from actium_embedded.errors import WorldError
from actium_shared.settings import PREFIX

WHERE: Mapping[str, str] = {
    "network": "actium_network.settings:NetworkSettings",
    "compute": "actium_compute.settings:ComputeSettings",
    "planner": "actium_planner.settings:PlannerSettings",
    "health": "actium_health.settings:HealthSettings",
    "relay": "actium_health.settings:RelaySettings",
    "api": "actium_api.settings:ApiSettings",
}
"""Looked up when they are needed: a list of names here would be behind one day."""

OUR_OWN = frozenset(("ACTIUM_WORLD", "ACTIUM_OPERATOR_URL", "ACTIUM_OPERATOR_KEY_FILE", "ACTIUM_FAILPOINTS_FOLDER"))
"""What `./actium` itself goes by."""


def known(service: str) -> Mapping[str, Any]:
    """Give the names of a service's settings, with their types."""
    module, _, name = WHERE[service].partition(":")
    settings = getattr(import_module(module), name)
    types = get_type_hints(settings)
    return {PREFIX + field.name.upper(): types[field.name] for field in dataclasses.fields(settings)}


def chosen(service: str, *, but: Collection[str]) -> dict[str, str]:
    """Give those of a service's settings that the environment has, less what the world says itself."""
    return {
        name: _absolute(value, kind)
        for name, kind in known(service).items()
        if (value := os.environ.get(name)) is not None and name not in but and name not in OUR_OWN
    }


def check(own: Mapping[str, Collection[str]]) -> None:
    """
    Look for variables that would have no effect; `own` are those that the world sets, by service.

    Raises:
        WorldError: there is one; a mistyped limit would be taken for one that protects.
    """
    free = {name for service in WHERE for name in known(service) if name not in own.get(service, ())}
    for name in sorted(os.environ):
        if not name.startswith(PREFIX) or name in OUR_OWN or name in free:
            continue
        if any(name in names for names in own.values()):
            raise WorldError(f"{name} cannot be set from outside: the world says it to its services itself; unset it")
        raise WorldError(f"{name} is a setting of no service; unset it, or see each service's settings.py")


def _absolute(value: str, kind: Any) -> str:
    """Services run in the root folder; the person who typed a path does not."""
    return str(Path(value).absolute()) if kind in (Path, Path | None) and value else value
