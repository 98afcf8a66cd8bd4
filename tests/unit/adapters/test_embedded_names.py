"""Names and ids of the embedded world."""

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from actium_shared import embedded

UUIDS = st.uuids(version=4).map(str)


@given(UUIDS)
def test_link_names_fit_into_fifteen_characters_and_name_both_ends_apart(port_id: str) -> None:
    ends = embedded.fabric_end(port_id), embedded.machine_end(port_id)
    assert {len(end) for end in ends} == {15}
    assert ends[0] != ends[1]


@given(UUIDS, UUIDS)
def test_different_ports_have_different_links_and_macs(one: str, other: str) -> None:
    assert (one == other) == (embedded.fabric_end(one) == embedded.fabric_end(other))
    assert (one == other) == (embedded.mac_of(one) == embedded.mac_of(other))


@given(UUIDS)
def test_the_name_of_a_half_made_port_is_as_good_as_its_id(port_id: str) -> None:
    end = embedded.fabric_end(port_id)
    assert embedded.fabric_end(end) == end


@given(UUIDS)
def test_macs_are_locally_administered_and_of_one_machine(port_id: str) -> None:
    first = int(embedded.mac_of(port_id).split(":")[0], 16)
    assert first & 0b10
    assert not first & 0b1


def test_time_ordered_ids_of_the_same_moment_have_different_links() -> None:
    one, other = "018f0000-0000-7000-8000-0123456789ab", "018f0000-0000-7000-8000-0123456789ac"
    assert embedded.fabric_end(one) != embedded.fabric_end(other)


def test_network_ids_are_uuids_that_depend_on_world_and_name_only() -> None:
    assert UUID(embedded.network_id("actium", "public")).version == 5
    assert embedded.network_id("actium", "public") == embedded.network_id("actium", "public")
    names = [("actium", "public"), ("actium", "tenant-a"), ("other", "public")]
    ids = [ids_of(*name) for name in names for ids_of in (embedded.network_id, embedded.subnet_id)]
    assert len(set(ids)) == len(ids)


def test_an_amphoras_namespaces_begin_with_its_id() -> None:
    amphora_id = str(uuid4())
    names = embedded.amphora_namespace(amphora_id), embedded.traffic_namespace(amphora_id)
    assert all(name.startswith(f"amphora-{amphora_id}") for name in names)
    assert len(set(names)) == 2
