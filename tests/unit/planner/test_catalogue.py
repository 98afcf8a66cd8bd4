"""Flavors, availability zones and their profiles: what may be on offer, and what a load balancer takes of it."""

import asyncio
from typing import Any

import pytest

import builders as a
from actium_planner.deciders import catalogue
from actium_planner.deciders.catalogue import CatalogueState, InUse
from actium_shared.catalogue import AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.events import catalogue as events
from actium_shared.events.catalogue import CatalogueEvent
from actium_shared.message import Accepted, Command, Position, Reason, Rejected
from actium_shared.testing.memory_event_store import MemoryEventStore
from contract.samples import sample
from unit.planner.world import World

PROFILE, FLAVOR, ZONE_PROFILE = a.an_id("profile"), a.an_id("flavor"), a.an_id("zone-profile")
NIL = "00000000-0000-0000-0000-000000000000"


def profile(**fields: Any) -> FlavorProfile:
    data = {"name": "small", "provider_name": "actium", "flavor_data": '{"amp_image_tag": "v2"}'}
    return FlavorProfile(**({"id": PROFILE} | data | fields))


def flavor(**fields: Any) -> Flavor:
    return Flavor(**({"id": FLAVOR, "name": "cheap", "flavor_profile_id": PROFILE} | fields))


def zone_profile(**fields: Any) -> AvailabilityZoneProfile:
    data = {"name": "rack", "provider_name": "amphora", "availability_zone_data": '{"compute_zone": "nova"}'}
    return AvailabilityZoneProfile(**({"id": ZONE_PROFILE} | data | fields))


def zone(**fields: Any) -> AvailabilityZone:
    return AvailabilityZone(**({"name": "az1", "availability_zone_profile_id": ZONE_PROFILE, "id": "z"} | fields))


OFFERED = (
    events.FlavorProfileCreated(flavor_profile=profile()),
    events.FlavorCreated(flavor=flavor()),
    events.AvailabilityZoneProfileCreated(availability_zone_profile=zone_profile()),
    events.AvailabilityZoneCreated(availability_zone=zone()),
)


def given(*happened: CatalogueEvent) -> CatalogueState:
    return catalogue.fold(CatalogueState(), happened)


def refused(decision: object) -> Reason:
    assert isinstance(decision, Rejected), decision
    return decision.reason


def decide(command: commands.CatalogueCommand, *happened: CatalogueEvent, used: InUse | None = None) -> object:
    return catalogue.decide(command, given(*(happened or OFFERED)), used=used or InUse())


CREATIONS: list[tuple[commands.CatalogueCommand, CatalogueEvent]] = [
    (commands.CreateFlavorProfile(flavor_profile=profile()), OFFERED[0]),
    (commands.CreateFlavor(flavor=flavor()), OFFERED[1]),
    (commands.CreateAvailabilityZoneProfile(availability_zone_profile=zone_profile()), OFFERED[2]),
    (commands.CreateAvailabilityZone(availability_zone=zone()), OFFERED[3]),
]


@pytest.mark.parametrize("number", range(4))
def test_what_is_created_is_there_once_however_often_it_is_asked_for(number: int) -> None:
    command, event = CREATIONS[number]
    assert catalogue.decide(command, given(*OFFERED[:number])) == [event]
    assert catalogue.decide(command, given(*OFFERED)) == []


def test_names_of_flavors_and_zones_are_unique() -> None:
    other = commands.CreateFlavor(flavor=flavor(id=a.an_id("other")))
    assert refused(decide(other)) is Reason.CONFLICT
    same_zone = commands.CreateAvailabilityZone(availability_zone=zone(id="another request"))
    assert refused(decide(same_zone)) is Reason.CONFLICT
    second = events.FlavorCreated(flavor=flavor(id=a.an_id("second"), name="second"))
    rename = commands.UpdateFlavor(flavor_id=second.flavor.id, changes=commands.FlavorChanges(name="cheap"))
    assert refused(decide(rename, *OFFERED, second)) is Reason.CONFLICT


def test_profiles_may_share_a_name() -> None:
    other = profile(id=a.an_id("other"))
    assert decide(commands.CreateFlavorProfile(flavor_profile=other)) == [
        events.FlavorProfileCreated(flavor_profile=other)
    ]


@pytest.mark.parametrize(
    "command",
    [
        commands.CreateFlavor(flavor=flavor(id="f", name="n", flavor_profile_id="unknown")),
        commands.CreateAvailabilityZone(availability_zone=zone(name="n", availability_zone_profile_id="unknown")),
        commands.CreateFlavor(flavor=flavor(id=NIL, name="n")),
        commands.CreateFlavorProfile(flavor_profile=profile(id=NIL)),
        commands.CreateAvailabilityZoneProfile(availability_zone_profile=zone_profile(id=NIL)),
        commands.CreateFlavorProfile(flavor_profile=profile(id="p", provider_name="another")),
        commands.CreateFlavorProfile(flavor_profile=profile(id="p", flavor_data="{")),
        commands.CreateFlavorProfile(flavor_profile=profile(id="p", flavor_data="[]")),
        commands.CreateAvailabilityZoneProfile(
            availability_zone_profile=zone_profile(id="p", availability_zone_data="nothing")
        ),
    ],
    ids=lambda command: command.TYPE,
)
def test_what_makes_no_sense_is_invalid(command: commands.CatalogueCommand) -> None:
    assert refused(decide(command)) is Reason.INVALID


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ('{"turbo": true}', "turbo"),
        ('{"loadbalancer_topology": "TRIPLE"}', "TRIPLE"),
        ('{"compute_flavor": 7}', "compute_flavor"),
        ('{"sriov_vip": "yes"}', "sriov_vip"),
    ],
)
def test_flavor_data_that_the_provider_does_not_understand_is_named(data: str, named: str) -> None:
    answer = decide(commands.CreateFlavorProfile(flavor_profile=profile(id="p", flavor_data=data)))
    assert refused(answer) is Reason.UNSUPPORTED
    assert isinstance(answer, Rejected)
    assert named in answer.detail


def test_zone_data_that_the_provider_does_not_understand_is_named() -> None:
    wrong = zone_profile(id="p", availability_zone_data='{"valid_vip_networks": "net"}')
    answer = decide(commands.CreateAvailabilityZoneProfile(availability_zone_profile=wrong))
    assert refused(answer) is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "command",
    [
        commands.DeleteFlavorProfile(flavor_profile_id=PROFILE),
        commands.DeleteAvailabilityZoneProfile(availability_zone_profile_id=ZONE_PROFILE),
        commands.UpdateFlavorProfile(
            flavor_profile_id=PROFILE, changes=commands.FlavorProfileChanges(provider_name="octavia")
        ),
        commands.UpdateFlavorProfile(
            flavor_profile_id=PROFILE, changes=commands.FlavorProfileChanges(flavor_data="{}")
        ),
        commands.UpdateAvailabilityZoneProfile(
            availability_zone_profile_id=ZONE_PROFILE,
            changes=commands.AvailabilityZoneProfileChanges(availability_zone_data="{}"),
        ),
        commands.DeleteFlavor(flavor_id=FLAVOR),
        commands.DeleteAvailabilityZone(name="az1"),
    ],
    ids=lambda command: command.TYPE,
)
def test_what_is_in_use_stays_as_it_is(command: commands.CatalogueCommand) -> None:
    assert refused(decide(command, used=InUse(flavors={FLAVOR}, zones={"az1"}))) is Reason.CONFLICT


def test_a_profile_in_use_can_be_renamed() -> None:
    rename = commands.UpdateFlavorProfile(flavor_profile_id=PROFILE, changes=commands.FlavorProfileChanges(name="new"))
    assert decide(rename) == [events.FlavorProfileUpdated(flavor_profile=profile(name="new"))]


def test_what_nobody_uses_can_be_changed_and_deleted() -> None:
    assert decide(commands.DeleteFlavor(flavor_id=FLAVOR)) == [events.FlavorDeleted(flavor_id=FLAVOR)]
    assert decide(commands.DeleteAvailabilityZone(name="az1")) == [events.AvailabilityZoneDeleted(name="az1")]
    change = commands.FlavorProfileChanges(flavor_data='{"amp_image_tag": "v3"}')
    update = commands.UpdateFlavorProfile(flavor_profile_id=PROFILE, changes=change)
    changed = profile(flavor_data='{"amp_image_tag": "v3"}')
    assert decide(update, OFFERED[0]) == [events.FlavorProfileUpdated(flavor_profile=changed)]
    delete = commands.DeleteFlavorProfile(flavor_profile_id=PROFILE)
    assert decide(delete, OFFERED[0]) == [events.FlavorProfileDeleted(flavor_profile_id=PROFILE)]


def test_changes_are_checked_like_creations() -> None:
    wrong = commands.UpdateFlavorProfile(
        flavor_profile_id=PROFILE, changes=commands.FlavorProfileChanges(flavor_data='{"turbo": 1}')
    )
    assert refused(decide(wrong, OFFERED[0])) is Reason.UNSUPPORTED
    disable = commands.UpdateAvailabilityZone(name="az1", changes=commands.AvailabilityZoneChanges(enabled=False))
    assert decide(disable) == [events.AvailabilityZoneUpdated(availability_zone=zone(enabled=False))]
    nothing_new = commands.UpdateFlavor(flavor_id=FLAVOR, changes=commands.FlavorChanges(name="cheap"))
    assert decide(nothing_new) == []


@pytest.mark.parametrize(
    "command",
    [
        commands.DeleteFlavor(flavor_id="gone"),
        commands.UpdateFlavor(flavor_id="gone", changes=commands.FlavorChanges()),
        commands.DeleteFlavorProfile(flavor_profile_id="gone"),
        commands.UpdateFlavorProfile(flavor_profile_id="gone", changes=commands.FlavorProfileChanges()),
        commands.DeleteAvailabilityZone(name="gone"),
        commands.UpdateAvailabilityZone(name="gone", changes=commands.AvailabilityZoneChanges()),
        commands.DeleteAvailabilityZoneProfile(availability_zone_profile_id="gone"),
        commands.UpdateAvailabilityZoneProfile(
            availability_zone_profile_id="gone", changes=commands.AvailabilityZoneProfileChanges()
        ),
    ],
    ids=lambda command: command.TYPE,
)
def test_what_does_not_exist_is_not_found(command: commands.CatalogueCommand) -> None:
    assert refused(decide(command)) is Reason.NOT_FOUND


@pytest.mark.parametrize("event", events.EVENTS, ids=lambda event: event.TYPE)
def test_a_catalogue_knows_all_its_events(event: type[CatalogueEvent]) -> None:
    deleted = {"flavor_profile_id": PROFILE, "availability_zone_profile_id": ZONE_PROFILE, "flavor_id": FLAVOR}
    fields = {name: deleted.get(name, "az1") for name in event.__struct_fields__}
    happened = event(**fields) if event.TYPE.endswith(".deleted") else sample(event)
    assert catalogue.evolve(given(*OFFERED), happened) != given(*OFFERED)


# -- what a load balancer takes


async def offering(*more: commands.CatalogueCommand) -> World:
    world = World()
    for command in (*(command for command, _ in CREATIONS), *more):
        assert isinstance(await world.ask(command), Accepted)
    return world


async def test_a_load_balancer_copies_what_its_flavor_and_zone_say() -> None:
    world = await offering()
    created = a.create_load_balancer(flavor_id=FLAVOR, availability_zone="az1", provider="")
    assert isinstance(await world.ask(created), Accepted)
    await world.settle()
    balancer = world.load_balancer(a.LB).load_balancer
    assert balancer is not None
    assert (balancer.provider, balancer.flavor) == ("actium", {"amp_image_tag": "v2"})
    assert balancer.availability_zone_data == {"compute_zone": "nova"}
    assert world.appliance(a.LB).image_tag == "v2"
    # The same wish again is the same load balancer, whatever became of the flavor.
    disable = commands.UpdateFlavor(flavor_id=FLAVOR, changes=commands.FlavorChanges(enabled=False))
    await world.ask(disable)
    assert isinstance(await world.ask(created), Accepted)


@pytest.mark.parametrize(
    "fields",
    [
        {"flavor_id": a.an_id("no such flavor")},
        {"availability_zone": "no such zone"},
        {"provider": "another"},
        {"flavor_id": FLAVOR, "provider": "another"},
    ],
)
async def test_a_choice_that_cannot_be_had_is_invalid(fields: dict[str, Any]) -> None:
    world = await offering()
    assert refused(await world.ask(a.create_load_balancer(**fields))) is Reason.INVALID


async def test_what_is_disabled_cannot_be_chosen() -> None:
    world = await offering(
        commands.UpdateFlavor(flavor_id=FLAVOR, changes=commands.FlavorChanges(enabled=False)),
        commands.UpdateAvailabilityZone(name="az1", changes=commands.AvailabilityZoneChanges(enabled=False)),
    )
    assert refused(await world.ask(a.create_load_balancer(flavor_id=FLAVOR))) is Reason.INVALID
    assert refused(await world.ask(a.create_load_balancer(availability_zone="az1"))) is Reason.INVALID


async def test_a_vip_must_be_on_a_network_that_the_zone_allows() -> None:
    data = f'{{"valid_vip_networks": ["{a.vip().network_id}"]}}'
    change = commands.AvailabilityZoneProfileChanges(availability_zone_data=data)
    world = World()
    await world.ask(commands.CreateAvailabilityZoneProfile(availability_zone_profile=zone_profile()))
    await world.ask(commands.UpdateAvailabilityZoneProfile(availability_zone_profile_id=ZONE_PROFILE, changes=change))
    await world.ask(commands.CreateAvailabilityZone(availability_zone=zone()))
    elsewhere = a.vip(network_id=a.an_id("another network"))
    assert refused(await world.ask(a.create_load_balancer(availability_zone="az1", vip=elsewhere))) is Reason.INVALID
    assert isinstance(await world.ask(a.create_load_balancer(availability_zone="az1")), Accepted)


async def test_an_option_that_is_not_there_yet_is_refused_in_words() -> None:
    world = World()
    sriov = profile(flavor_data='{"sriov_vip": true}')
    await world.ask(commands.CreateFlavorProfile(flavor_profile=sriov))
    await world.ask(commands.CreateFlavor(flavor=flavor()))
    answer = await world.ask(a.create_load_balancer(flavor_id=FLAVOR))
    assert refused(answer) is Reason.UNSUPPORTED
    assert isinstance(answer, Rejected)
    assert "not yet offered" in answer.detail


class SlowStore(MemoryEventStore):
    """Lets others run before each append."""

    async def append(self, *words: Any, **more: Any) -> Position:
        await asyncio.sleep(0)
        return await super().append(*words, **more)


@pytest.mark.parametrize("create_first", [True, False])
async def test_a_flavor_is_never_deleted_under_a_load_balancer_on_its_way(*, create_first: bool) -> None:
    world = await offering()
    slow = SlowStore()
    slow.__dict__.update(world.store.__dict__)
    world.store = slow
    await world.restart()
    wishes: list[Command] = [a.create_load_balancer(flavor_id=FLAVOR), commands.DeleteFlavor(flavor_id=FLAVOR)]
    first, second = await asyncio.gather(*(world.ask(each) for each in (wishes if create_first else wishes[::-1])))
    assert isinstance(first, Accepted)
    assert refused(second) is (Reason.CONFLICT if create_first else Reason.INVALID)


async def test_a_flavor_is_in_use_until_nothing_of_its_load_balancer_exists() -> None:
    world = await offering()
    delete = commands.DeleteFlavor(flavor_id=FLAVOR)
    await world.ask(a.create_load_balancer(flavor_id=FLAVOR))
    assert refused(await world.ask(delete)) is Reason.CONFLICT
    await world.settle()
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    assert refused(await world.ask(delete)) is Reason.CONFLICT
    await world.restart()
    assert refused(await world.ask(delete)) is Reason.CONFLICT
    await world.settle()
    assert isinstance(await world.ask(delete), Accepted)


def test_data_that_come_with_a_wish_stand_where_it_names_no_flavor_and_are_checked() -> None:
    def furnished(**data: Any) -> object:
        return catalogue.furnish(a.load_balancer(**data), given(*OFFERED))

    kept = furnished(flavor={"amp_image_tag": "v3"}, availability_zone_data={"compute_zone": "rack-9"})
    assert not isinstance(kept, Rejected)
    assert (kept.flavor, kept.availability_zone_data) == ({"amp_image_tag": "v3"}, {"compute_zone": "rack-9"})  # type: ignore[attr-defined]
    named = furnished(flavor_id=FLAVOR, flavor={"amp_image_tag": "v3"})
    assert named.flavor == {"amp_image_tag": "v2"}  # type: ignore[attr-defined]
    assert refused(furnished(flavor={"colour": "red"})) is Reason.UNSUPPORTED
    assert refused(furnished(availability_zone_data={"colour": "red"})) is Reason.UNSUPPORTED
