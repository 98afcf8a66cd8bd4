"""The site's limits come from settings."""

import pytest

from actium_shared.errors import SettingsError
from actium_shared.quotas import RESOURCES, QuotaSettings


def test_nothing_is_limited_unless_a_setting_says_so() -> None:
    assert QuotaSettings.from_environment({}).site_quota() == dict.fromkeys(RESOURCES, -1)
    settings = QuotaSettings.from_environment({"ACTIUM_QUOTA_MEMBER": "500"})
    assert settings.site_quota() == {**dict.fromkeys(RESOURCES, -1), "member": 500}


@pytest.mark.parametrize("value", ["-2", "2000000001", "many"])
def test_a_limit_that_cannot_be_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="ACTIUM_QUOTA_POOL"):
        QuotaSettings.from_environment({"ACTIUM_QUOTA_POOL": value}).site_quota()
