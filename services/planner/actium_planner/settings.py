"""Settings of the planner."""

from dataclasses import dataclass

from actium_planner.deciders.appliance.state import ROLES
from actium_shared.errors import SettingsError
from actium_shared.provider_options import FLAVOR_OPTIONS, ProviderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings(ProviderSettings):
    """
    `boot_s`, `bundle_s`: how long a boot and the application of a bundle may take; `retry_s`: pause after giving up.

    `loadbalancer_topology`, `vrrp_advertisement_interval_ms`: what holds where a flavor says nothing. `yield_s`: how long a
    master may take to let its partner take over; `split_s`: how long two may both say that they are master; `drain_s`: how
    long a port stays plugged after the last member of its subnet is gone, as requests to it may be under way.

    `spare_pool_size`: how many spares wait for load balancers without a flavor; a flavor says it for its own.

    `strict_immutability`: refuse changes to a load balancer that is not ACTIVE, as upstream does.
    """

    boot_s: float = 60.0
    bundle_s: float = 60.0
    retry_s: float = 30.0
    image_tag: str = "default"
    loadbalancer_topology: str = "SINGLE"
    vrrp_advertisement_interval_ms: int = 100
    yield_s: float = 10.0
    split_s: float = 3.0
    drain_s: float = 30.0
    spare_pool_size: int = 0
    strict_immutability: bool = False

    def topology(self) -> str:
        """
        Give the topology of load balancers whose flavor says none.

        Raises:
            SettingsError: there is no such topology.
        """
        if self.loadbalancer_topology not in ROLES:
            known = " or ".join(ROLES)
            raise SettingsError(
                f"setting ACTIUM_LOADBALANCER_TOPOLOGY must be {known}, and is {self.loadbalancer_topology!r}"
            )
        return self.loadbalancer_topology

    def pool_size(self) -> int:
        """
        Give how many spares wait for load balancers without a flavor.

        Raises:
            SettingsError: so many cannot wait.
        """
        most = FLAVOR_OPTIONS["spare_pool_size"].most
        if not 0 <= self.spare_pool_size <= most:
            raise SettingsError(
                f"setting ACTIUM_SPARE_POOL_SIZE must be from 0 to {most}, and is {self.spare_pool_size}"
            )
        return self.spare_pool_size
