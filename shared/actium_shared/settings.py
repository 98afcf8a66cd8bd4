"""Settings of a service: a typed, frozen dataclass filled from the environment once, at start."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_type_hints

import msgspec

from actium_shared.errors import SettingsError

PREFIX = "ACTIUM_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    What every service needs. `ACTIUM_NATS_URL` fills `nats_url`, and so on; lists are comma separated.

    An unknown `ACTIUM_` name or a missing one stops the process at start.
    """

    nats_url: str = "nats://127.0.0.1:4222"
    nats_user: str = ""
    nats_password_file: Path | None = None
    log_level: str = "INFO"
    failpoints_folder: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """
        Read the environment (this process's unless given).

        Raises:
            SettingsError: a name is unknown, missing, or its value has the wrong type.
        """
        given = os.environ if environment is None else environment
        names = {PREFIX + field.name.upper(): field for field in dataclasses.fields(cls)}
        unknown = sorted(name for name in given if name.startswith(PREFIX) and name not in names)
        if unknown:
            raise SettingsError(f"unknown setting {unknown[0]}; known are {', '.join(sorted(names))}")
        missing = sorted(name for name, field in names.items() if name not in given and _required(field))
        if missing:
            raise SettingsError(f"setting {missing[0]} is missing")
        types = get_type_hints(cls)
        return cls(
            **{
                field.name: _convert(name, given[name], types[field.name])
                for name, field in names.items()
                if name in given
            }
        )

    def nats_password(self) -> str:
        """Read the password from its file, so that it stands in no environment and no process list."""
        return self.nats_password_file.read_text().strip() if self.nats_password_file else ""


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _convert(name: str, text: str, wanted: Any) -> Any:
    if wanted in (Path, Path | None):
        return Path(text)
    if wanted == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return msgspec.convert(text, wanted, strict=False)
    except msgspec.ValidationError as exc:
        raise SettingsError(f"setting {name}: {exc}") from exc
