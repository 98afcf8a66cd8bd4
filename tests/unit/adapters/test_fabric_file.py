"""The fabric file: what it gives, and that every mistake in it is named."""

from pathlib import Path

import pytest

from actium_network.adapters import fabric_file
from actium_shared.errors import SettingsError
from contract.ports.embedded_world import FABRIC

GOOD = FABRIC.format(name="test", third=7)


def read(tmp_path: Path, text: str) -> fabric_file.FabricPlan:
    path = tmp_path / "fabric.toml"
    path.write_text(text)
    return fabric_file.read(path)


def test_a_good_file_gives_networks_in_its_order(tmp_path: Path) -> None:
    plan = read(tmp_path, GOOD)
    networks = [network.as_network(plan.world) for network in plan.networks]
    assert [network.name for network in networks] == ["lb-mgmt", "public", "tenant-a", "island"]
    subnet, second = networks[1].subnets
    assert (second.name, second.cidr, second.gateway, second.host, second.network_id) == (
        "public-v6", "fd42:0:7::/64", "fd42:0:7::1", "fd42:0:7::2", networks[1].id,
    )  # fmt: skip
    assert (subnet.cidr, subnet.gateway, subnet.pool_start, subnet.routed) == (
        "198.18.7.0/24", "198.18.7.1", "198.18.7.100", True,
    )  # fmt: skip


def test_ranges_without_a_router_leg_may_overlap(tmp_path: Path) -> None:
    plan = read(tmp_path, GOOD)
    assert plan.networks[0].cidr == plan.networks[3].cidr


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('cidr = "10.1.0.0/24"', 'cidr = "10.1.0.1/24"', "tenant-a: cidr"),
        ('cidr = "10.1.0.0/24"', 'cidr = "fd00::/64"', "not IPv4"),
        ('cidr = "fd42:1:7::/64"', 'cidr = "10.9.0.0/24"', "tenant-a: ipv6: cidr 10.9.0.0/24 is not IPv6"),
        ('gateway = "fd42:1:7::1"', 'gateway = "fd42:1:8::1"', "tenant-a: ipv6: gateway 'fd42:1:8::1'"),
        ('gateway = "fd42:1:7::1"', "", "tenant-a: ipv6: gateway .the network is routed. is missing"),
        ('gateway = "fd42:1:7::1"', 'gateway = "fd42:1:7::1001"', "ipv6: gateway fd42:1:7::1001 lies in the pool"),
        ('host = "fd42:0:7::2"', "", "public: ipv6: host .the network has one. is missing"),
        ('gateway = "10.1.0.1"', 'gateway = "10.2.0.1"', "gateway '10.2.0.1'"),
        ('gateway = "10.1.0.1"', "", "gateway .it is routed. is missing"),
        ('gateway = "10.1.0.1"', 'gateway = "10.1.0.101"', "gateway 10.1.0.101 lies in the pool"),
        ('controller = "10.250.0.1"', "", "controller"),
        ('role = "tenant"', 'role = "management"', "exactly one network"),
        ('role = "vip"', 'role = "nonsense"', r"networks\[1\]"),
        ('name = "tenant-a"', 'name = "public"', "same name"),
        ('name = "tenant-a"', 'name = "tenant a"', "name must be"),
        ('host_link = "test-public"', 'host_link = "much-too-long-a-name"', "host_link"),
        ('hosts = ["host-1", "host-2", "host-3"]', "hosts = []", "hosts"),
        ('world = "test"', "", "world"),
        ('world = "test"', 'world = "test"\nwrold = "x"', "wrold"),
        ('"10.1.0.250"', '"10.1.1.250"', "pool end"),
        ("[fabric]", "[fabric", "fabric.toml"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    with pytest.raises(SettingsError, match=named):
        read(tmp_path, GOOD.replace(old, new, 1))


def test_routed_ranges_must_not_overlap(tmp_path: Path) -> None:
    text = GOOD.replace("10.1.0", "198.18.7").replace('gateway = "198.18.7.1"', 'gateway = "198.18.7.3"', 1)
    with pytest.raises(SettingsError, match="public and tenant-a overlap"):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        fabric_file.read(tmp_path / "absent.toml")
