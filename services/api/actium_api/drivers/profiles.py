"""What profiles say of flavors and zones, shown to the provider that they are for before the planner takes them."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from actium_api.drivers.host import Drivers


async def check_flavor(drivers: Drivers, provider: str, data: str) -> None:
    """
    Have the provider look at a flavor's data.

    Raises:
        Fault: it is not enabled (400), or does not understand them (501).
    """
    driver = drivers.named(provider, field="provider_name")
    read = _read(data)
    if read is not None:
        await driver.validate_flavor(read)


async def check_zone(drivers: Drivers, provider: str, data: str) -> None:
    """
    Have the provider look at a zone's data.

    Raises:
        Fault: as `check_flavor`.
    """
    driver = drivers.named(provider, field="provider_name")
    read = _read(data)
    if read is not None:
        await driver.validate_availability_zone(read)


def merged(
    found: sa.RowMapping, provider: str | UnsetType, data: str | UnsetType, *, data_field: str
) -> tuple[str, str]:
    """Give provider and data of a profile after a change."""
    return (
        found["provider_name"] if provider is UNSET else str(provider),
        found[data_field] if data is UNSET else str(data),
    )


def _read(text: str) -> Mapping[str, Any] | None:
    """Give the data, or None where the planner will say what is wrong with the text."""
    try:
        read = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return read if isinstance(read, dict) else None
