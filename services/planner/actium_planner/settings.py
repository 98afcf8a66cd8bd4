"""Settings of the planner."""

from dataclasses import dataclass

from actium_shared.provider_options import ProviderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings(ProviderSettings):
    """
    `boot_s`, `bundle_s`: how long a boot and the application of a bundle may take; `retry_s`: pause after giving up.

    `strict_immutability`: refuse changes to a load balancer that is not ACTIVE, as upstream does.
    """

    boot_s: float = 60.0
    bundle_s: float = 60.0
    retry_s: float = 30.0
    image_tag: str = "default"
    strict_immutability: bool = False
