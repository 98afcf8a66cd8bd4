"""What our own provider goes by, and what it understands of flavors and availability zones. Other vendors say it themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from actium_shared.errors import SettingsError
from actium_shared.quotas import QuotaSettings

ACTIUM = "actium"
PROVIDERS: Mapping[str, str] = {
    ACTIUM: "The Actium provider.",
    "amphora": "Another name of the Actium provider, for scripts that expect upstream's.",
    "octavia": "Another name of the Actium provider, for scripts that expect upstream's older one.",
}
"""Our provider's names with a description each; a load balancer keeps the one it was asked for by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One key of a profile's data; `choices` are all there are, unless empty."""

    description: str
    kind: Literal["text", "flag", "number", "texts"] = "text"
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 0
    """Bounds of a number."""


FLAVOR_OPTIONS: Mapping[str, Option] = {
    "loadbalancer_topology": Option(
        description="How many amphorae carry a load balancer: SINGLE, or ACTIVE_STANDBY for a pair.",
        choices=("SINGLE", "ACTIVE_STANDBY"),
    ),
    "compute_flavor": Option(description="The compute service's flavor of the machines that amphorae run on."),
    "amp_image_tag": Option(description="The tag of the image that amphorae boot from."),
    "sriov_vip": Option(description="Whether the VIP's port is an SR-IOV virtual function.", kind="flag"),
    "allow_member_sriov": Option(
        description="Whether members may ask for SR-IOV ports; none can be had yet.", kind="flag"
    ),
    "amphora_driver": Option(
        description="The amphora driver, by its entry point's name; haproxy unless said otherwise."
    ),
    "spare_pool_size": Option(
        description="How many booted amphorae wait in each zone to take a place.", kind="number", most=100
    ),
    "vrrp_advertisement_interval_ms": Option(
        description="Of a pair, how often the master says that it lives, in milliseconds.",
        kind="number",
        least=20,
        most=10_000,
    ),
    "load_balancers_per_appliance": Option(
        description="How many load balancers of a project may share their amphorae.", kind="number", least=1, most=100
    ),
    "listener_logs": Option(
        description="Whether amphorae ship listeners' logs where the operator has named a store for them.", kind="flag"
    ),
    "front_end": Option(
        description="How traffic reaches amphorae: L2, the VIP on their network, or L3, routed to them.",
        choices=("L2", "L3"),
    ),
}
ZONE_OPTIONS: Mapping[str, Option] = {
    "compute_zone": Option(description="The compute service's availability zone for amphorae."),
    "volume_zone": Option(description="The volume service's availability zone for amphorae that boot from volumes."),
    "management_network": Option(description="The id of the network on which amphorae are managed."),
    "valid_vip_networks": Option(description="The ids of the networks that VIPs may be on.", kind="texts"),
}


def is_ours(provider: str) -> bool:
    """Say whether the name is one of our provider's."""
    return provider in PROVIDERS


def same_driver(one: str, other: str) -> bool:
    """Say whether two names mean the same provider."""
    return one == other or (is_ours(one) and is_ours(other))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings(QuotaSettings):
    """
    `ACTIUM_ENABLED_PROVIDER_DRIVERS=acme:The Acme appliance.,other:...`: other vendors' drivers beside our own.

    The API loads them, and the planner lets their names pass: both are told the same.
    """

    enabled_provider_drivers: tuple[str, ...] = ()

    def providers(self) -> Mapping[str, str]:
        """
        Give all names that load balancers can ask for, with their descriptions.

        Raises:
            SettingsError: one is not `name:description`, or is ours.
        """
        found = dict(PROVIDERS)
        for each in self.enabled_provider_drivers:
            name, _, description = (part.strip() for part in each.partition(":"))
            if not name:
                raise SettingsError(
                    f"setting ACTIUM_ENABLED_PROVIDER_DRIVERS must be a list of name:description, and holds {each!r}"
                )
            if name in PROVIDERS:
                continue  # ours is always there, by all its names
            found[name] = description or f"The {name} provider."
        return found
