"""Flavors, zones, profiles and quotas: what bodies may hold, and what the read model shows."""

from typing import Any

import pytest

from actium_api.faults import Fault
from actium_api.read_model.catalogue_tables import (
    AVAILABILITY_ZONE_PROFILES,
    AVAILABILITY_ZONES,
    FLAVOR_PROFILES,
    FLAVORS,
    QUOTAS,
)
from actium_api.schemas.availability_zone import AvailabilityZonePost, AvailabilityZoneProfilePut, AvailabilityZonePut
from actium_api.schemas.fields import Body, parse
from actium_api.schemas.flavor import FlavorPost, FlavorProfilePost, FlavorProfilePut, FlavorPut
from actium_api.schemas.quota import QuotaPut
from actium_shared.catalogue import AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile
from actium_shared.commands.planner import FlavorChanges
from actium_shared.events import catalogue as events
from actium_shared.events.project import QuotaSet
from actium_shared.ids import ProjectId
from builders import an_id
from unit.api.given import ReadModel

PROFILE, FLAVOR = an_id("profile"), an_id("flavor")
GOOD: dict[type[Body], dict[str, Any]] = {
    FlavorPost: {"name": "f", "flavor_profile_id": PROFILE},
    FlavorPut: {},
    FlavorProfilePost: {"name": "p", "provider_name": "actium", "flavor_data": "{}"},
    FlavorProfilePut: {},
    AvailabilityZonePost: {"name": "z", "availability_zone_profile_id": PROFILE},
    AvailabilityZonePut: {},
    AvailabilityZoneProfilePut: {},
    QuotaPut: {},
}


@pytest.mark.parametrize(
    ("schema", "sent", "named"),
    [
        (FlavorPost, {"name": None}, "name"),
        (FlavorPost, {"name": "x" * 256}, "name"),
        (FlavorPost, {"flavor_profile_id": "not one"}, "flavor_profile_id"),
        (FlavorPost, {"id": PROFILE}, "id"),
        (FlavorPut, {"flavor_profile_id": PROFILE}, "flavor_profile_id"),
        (FlavorPut, {"name": None}, "name"),
        (FlavorPut, {"enabled": None}, "enabled"),
        (FlavorPut, {"enabled": "maybe"}, "enabled"),
        (FlavorProfilePost, {"flavor_data": {"a": 1}}, "flavor_data"),
        (FlavorProfilePost, {"flavor_data": "x" * 4097}, "flavor_data"),
        (FlavorProfilePut, {"provider_name": None}, "provider_name"),
        (FlavorProfilePut, {"flavor_data": None}, "flavor_data"),
        (AvailabilityZonePut, {"name": "other"}, "name"),
        (AvailabilityZoneProfilePut, {"availability_zone_data": 7}, "availability_zone_data"),
        (QuotaPut, {"pool": -2}, "pool"),
        (QuotaPut, {"pool": 2_000_000_001}, "pool"),
        (QuotaPut, {"pool": "many"}, "pool"),
        (QuotaPut, {"project_id": "p"}, "project_id"),
    ],
)
def test_what_is_wrong_is_a_400_that_names_it(schema: type[Body], sent: dict[str, Any], named: str) -> None:
    with pytest.raises(Fault) as refused:
        parse(schema, "thing", GOOD[schema] | sent)
    assert refused.value.status == 400
    assert named in refused.value.message


def test_only_what_was_sent_changes() -> None:
    assert parse(FlavorPut, "flavor", {"description": None}).changes() == FlavorChanges(description="")
    assert parse(FlavorPut, "flavor", {"enabled": "no"}).changes() == FlavorChanges(enabled=False)


@pytest.mark.parametrize(
    ("sent", "limits"),
    [
        ({}, {}),
        ({"load_balancer": 3}, {"loadbalancer": 3}),
        ({"loadbalancer": 3, "load_balancer": 3}, {"loadbalancer": 3}),
        ({"health_monitor": None, "l7rule": "5"}, {"healthmonitor": None, "l7rule": 5}),
    ],
)
def test_limits_are_taken_in_either_spelling(sent: dict[str, Any], limits: dict[str, int | None]) -> None:
    assert parse(QuotaPut, "quota", sent).limits() == limits


@pytest.mark.parametrize("values", [(3, 4), (None, 4), (4, None)])
def test_two_spellings_that_disagree_are_refused(values: tuple[int | None, int | None]) -> None:
    body = parse(QuotaPut, "quota", {"loadbalancer": values[0], "load_balancer": values[1]})
    with pytest.raises(Fault, match="load_balancer"):
        body.limits()


def test_the_catalogue_is_shown_as_it_is_and_gone_when_deleted() -> None:
    read_model = ReadModel()
    profile = FlavorProfile(id=PROFILE, name="p", provider_name="actium", flavor_data="{}")
    flavor = Flavor(id=FLAVOR, name="f", flavor_profile_id=PROFILE)
    read_model.happened(events.FlavorProfileCreated(flavor_profile=profile))
    read_model.happened(events.FlavorCreated(flavor=flavor))
    disabled = Flavor(id=FLAVOR, name="f", flavor_profile_id=PROFILE, enabled=False)
    read_model.happened(events.FlavorUpdated(flavor=disabled))
    assert read_model.show(FLAVORS, FLAVOR) == {
        "id": FLAVOR,
        "name": "f",
        "description": "",
        "enabled": False,
        "flavor_profile_id": PROFILE,
    }
    assert set(read_model.show(FLAVOR_PROFILES, PROFILE)) == {"id", "name", "provider_name", "flavor_data"}
    read_model.happened(events.FlavorDeleted(flavor_id=FLAVOR))
    read_model.happened(events.FlavorProfileDeleted(flavor_profile_id=PROFILE))
    assert not read_model.has(FLAVORS, FLAVOR)
    assert not read_model.has(FLAVOR_PROFILES, PROFILE)


def test_a_zone_is_known_by_its_name_and_shows_no_id() -> None:
    read_model = ReadModel()
    profile = AvailabilityZoneProfile(id=PROFILE, name="p", provider_name="actium", availability_zone_data="{}")
    zone = AvailabilityZone(name="az 1/a", availability_zone_profile_id=PROFILE, id="hidden")
    read_model.happened(events.AvailabilityZoneProfileCreated(availability_zone_profile=profile))
    read_model.happened(events.AvailabilityZoneCreated(availability_zone=zone))
    shown = read_model.show(AVAILABILITY_ZONES, "az 1/a")
    assert set(shown) == {"name", "description", "enabled", "availability_zone_profile_id"}
    read_model.happened(events.AvailabilityZoneDeleted(name="az 1/a"))
    read_model.happened(events.AvailabilityZoneProfileDeleted(availability_zone_profile_id=PROFILE))
    assert not read_model.has(AVAILABILITY_ZONES, "az 1/a")
    assert not read_model.has(AVAILABILITY_ZONE_PROFILES, PROFILE)


def test_a_stored_quota_shows_null_where_the_sites_limit_holds() -> None:
    read_model = ReadModel()
    project_id = ProjectId("a project")
    read_model.happened(QuotaSet(project_id=project_id, limits={"loadbalancer": 5, "pool": 0}))
    shown = read_model.show(QUOTAS, project_id)
    assert (shown["loadbalancer"], shown["load_balancer"], shown["pool"]) == (5, 5, 0)
    assert (shown["member"], shown["healthmonitor"], shown["health_monitor"]) == (None, None, None)
    read_model.happened(QuotaSet(project_id=project_id, limits={}))
    assert read_model.show(QUOTAS, project_id)["loadbalancer"] is None
