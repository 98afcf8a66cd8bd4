"""Which resources a quota limits, and the site's limits for projects that have none of their own. Nothing counts here."""

from collections.abc import Mapping
from dataclasses import dataclass

from actium_shared.errors import SettingsError
from actium_shared.settings import PREFIX, Settings

RESOURCES = ("loadbalancer", "listener", "pool", "member", "healthmonitor", "l7policy", "l7rule")
UNLIMITED = -1
MOST = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings(Settings):
    """
    The site's limits: `ACTIUM_QUOTA_MEMBER=500` and so on, -1 is none.

    The planner holds projects to them, and the API shows them: both are told the same.
    """

    quota_loadbalancer: int = UNLIMITED
    quota_listener: int = UNLIMITED
    quota_pool: int = UNLIMITED
    quota_member: int = UNLIMITED
    quota_healthmonitor: int = UNLIMITED
    quota_l7policy: int = UNLIMITED
    quota_l7rule: int = UNLIMITED

    def site_quota(self) -> Mapping[str, int]:
        """
        Give all limits by resource.

        Raises:
            SettingsError: one is out of range.
        """
        limits: dict[str, int] = {resource: getattr(self, f"quota_{resource}") for resource in RESOURCES}
        for resource, limit in limits.items():
            if not UNLIMITED <= limit <= MOST:
                name = f"{PREFIX}QUOTA_{resource.upper()}"
                raise SettingsError(f"setting {name} must be between {UNLIMITED} (no limit) and {MOST}, and is {limit}")
        return limits
