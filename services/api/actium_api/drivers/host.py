"""Finds drivers by entry point, and for each load balancer the one that serves it. Vendors' drivers are loaded on need."""

import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

import sqlalchemy as sa

from actium_api.asks import Asks
from actium_api.drivers.driver import Driver
from actium_api.faults import Fault
from actium_api.read_model import wishes
from actium_api.settings import ApiSettings
from actium_shared.errors import SettingsError
from actium_shared.ids import Ids, LoadBalancerId
from actium_shared.provider_options import ACTIUM, PROVIDERS, is_ours
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

GROUP = "octavia.api.drivers"
"""octavia-lib's, so that a vendor's package is found as it is."""

OWN_GROUP = "actium.api.drivers"
"""Drivers of our own interface, which is more than octavia-lib's; what we are to upstream is in deploy/provider-driver."""


class Drivers:
    """All drivers that are enabled and could be loaded, by the names that load balancers ask for."""

    def __init__(self, drivers: Mapping[str, Driver], descriptions: Mapping[str, str], *, database: Database) -> None:
        self._drivers, self._database = drivers, database
        self.descriptions = {name: text for name, text in descriptions.items() if name in drivers}
        self._only_ours = descriptions.keys() == PROVIDERS.keys()
        self.vendors = {name: driver for name, driver in drivers.items() if not is_ours(name)}

    def named(self, provider: str, *, field: str = "provider") -> Driver:
        """
        Give a driver by name.

        Raises:
            Fault: 400, it is not enabled.
        """
        found = self._drivers.get(provider)
        if found is None:
            known = ", ".join(self.descriptions)
            raise Fault(400, f"Provider '{provider}' is not enabled: {field} must be one of {known}.")
        return found

    async def serving(self, load_balancer_id: LoadBalancerId) -> Driver:
        """
        Give the driver that serves a load balancer.

        Raises:
            Fault: 501, it is not enabled any more.
        """
        if self._only_ours:
            return self._drivers[ACTIUM]

        def query(connection: sa.Connection) -> str | None:
            return wishes.provider(connection, load_balancer_id)

        provider = await self._database.read(query) or ACTIUM
        found = self._drivers.get(provider)
        if found is None:
            raise Fault(
                501, f"Provider '{provider}' is not enabled any more: load balancer {load_balancer_id} waits for it."
            )
        return found


def load(settings: ApiSettings, *, asks: Asks, database: Database, ids: Ids) -> Drivers:
    """
    Load all drivers that the settings enable; a vendor's that cannot be loaded is logged and left out.

    Raises:
        SettingsError: our own is not installed, or the settings are wrong.
    """
    providers = settings.providers()
    own = {each.name: each for each in entry_points(group=OWN_GROUP)}
    if ACTIUM not in own:
        raise SettingsError(
            f"the package actium-api is not installed as it is now: no entry point {ACTIUM} in {OWN_GROUP}"
        )
    ours = own[ACTIUM].load()
    known = {each.name: each for each in entry_points(group=GROUP)}
    drivers: dict[str, Driver] = {name: ours(name, asks) for name in PROVIDERS}
    for name in providers.keys() - PROVIDERS.keys():
        vendor = _vendor(known.get(name), name)
        if vendor is not None:
            from actium_api.drivers.vendor import VendorDriver

            drivers[name] = VendorDriver(
                name, vendor, asks=asks, database=database, ids=ids, timeout_s=settings.driver_timeout_s
            )
    return Drivers(drivers, providers, database=database)


def _vendor(entry_point: EntryPoint | None, name: str) -> type | None:
    if entry_point is None:
        log.error("driver not found", extra={"provider": name, "group": GROUP})
        return None
    try:
        from octavia_lib.api.drivers.provider_base import ProviderDriver

        vendor = entry_point.load()
    except (Exception, SystemExit):  # whatever a vendor's module does on import must not keep the others from serving
        log.exception("driver not loaded", extra={"provider": name})
        return None
    if not isinstance(vendor, type) or not issubclass(vendor, ProviderDriver):
        log.error("driver is no octavia-lib ProviderDriver", extra={"provider": name, "found": repr(vendor)})
        return None
    return vendor
