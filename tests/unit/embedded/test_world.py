"""What a world is, as chosen, written and read back; and the configuration made from it."""

import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_embedded import choosing, keys, nats_config
from actium_embedded import processes as table
from actium_embedded import world as worlds
from actium_embedded.errors import WorldError
from actium_embedded.toml import to_toml
from actium_embedded.world import Choices, Ports, World
from actium_shared.streams import SERVICES

PORTS = Ports(api=9876, nats=14222, nats_monitoring=18222)


@pytest.fixture
def world(tmp_path: Path) -> World:
    networks = choosing.networks(IPv4Network("203.0.113.0/24"))
    made = World(folder=tmp_path, choices=Choices(name="test", ports=PORTS, hosts=("host-1",), networks=networks))
    made.make_folders()
    return made


def test_world_is_read_back_as_it_was_saved(world: World) -> None:
    worlds.save(world)
    assert worlds.load(world.folder) == world


def test_fabric_file_names_what_the_network_service_makes(world: World) -> None:
    worlds.save(world)
    fabric = tomllib.loads(world.fabric_file.read_text())
    assert fabric["fabric"] == {
        "world": "test",
        "namespace": "test-fabric",
        "router": "test-router",
        "host_link": "test-public",
        "hosts": ["host-1"],
    }
    assert [network["name"] for network in fabric["networks"]] == ["lb-mgmt", "public", "tenant-a", "tenant-b"]


@pytest.mark.parametrize(
    ("written", "instead", "words"),
    [
        ("api = 9876", 'api = "much"', r"Expected `int`, got `str` - at `\$.ports.api`"),
        ("api = 9876", "apy = 9876", "apy"),
        ('name = "test"', 'name = "far-too-long"', "name must be 1 to 8 letters"),
        (
            'gateway = "10.1.0.1"',
            'gateway = "10.9.0.1"',
            "network tenant-a: gateway 10.9.0.1 is outside of 10.1.0.0/24",
        ),
        ('role = "vip"', 'role = "other"', "networks: one must have role = 'vip'"),
        ('cidr = "10.1.0.0/24"', 'cidr = "10.1.0.0/99"', "network tenant-a: .*'99' is not a valid netmask"),
        ("[ports]", "[ports", "line"),
    ],
)
def test_wrong_value_in_the_file_is_refused_by_its_name(world: World, written: str, instead: str, words: str) -> None:
    worlds.save(world)
    path = worlds.world_file(world.folder)
    path.write_text(path.read_text().replace(written, instead, 1))
    with pytest.raises(WorldError, match=words):
        worlds.load(world.folder)


def test_folder_without_a_world_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"`./actium up` makes one"):
        worlds.load(tmp_path)


def test_names_of_links_fit_the_kernel(tmp_path: Path) -> None:
    other = World(folder=tmp_path, choices=Choices(name=worlds.name_for(tmp_path), ports=PORTS, hosts=(), networks=()))
    assert worlds.name_for(worlds.DEFAULT_FOLDER) == "actium"
    assert len(other.host_link) <= 15


def test_secrets_are_made_once_and_for_root_only(world: World) -> None:
    keys.make(world)
    first = keys.heartbeat_master_key(world).read_bytes()
    keys.make(world)
    assert keys.heartbeat_master_key(world).read_bytes() == first
    assert len(first) == 32
    assert {path.stat().st_mode & 0o777 for path in world.secrets.iterdir()} == {0o600}
    assert world.secrets.stat().st_mode & 0o777 == 0o700


def test_every_service_has_a_bus_user_with_permissions_of_its_own(world: World) -> None:
    keys.make(world)
    users = {user["user"]: user for user in nats_config.render(world)["authorization"]["users"]}
    assert set(users) == set(SERVICES)
    assert len({user["password"] for user in users.values()}) == len(users)
    assert users["planner"]["permissions"] != users["api"]["permissions"]


def test_no_secret_stands_in_a_process_environment_or_command(world: World) -> None:
    keys.make(world)
    secrets = [path.read_bytes() for path in world.secrets.iterdir()]
    shown = msgspec.json.encode(table.table(world))
    assert not any(secret in shown for secret in secrets)


texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)
values = st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans(), st.lists(st.integers(0, 9), max_size=4))
tables = st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), values, max_size=5)


@given(plain=tables, inner=tables, rows=st.lists(tables, min_size=1, max_size=3))
def test_written_toml_is_read_back_equal(
    plain: dict[str, object], inner: dict[str, object], rows: list[dict[str, object]]
) -> None:
    content = {**plain, "Inner": inner, "Rows": rows}
    assert tomllib.loads(to_toml(content)) == content
