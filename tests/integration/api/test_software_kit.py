"""PyPI's openstacksdk against the real API and planner: one load balancer's life, in the calls that Ansible's modules make."""

import asyncio
from typing import Any

import openstack
import pytest
from openstack.connection import Connection
from openstack.exceptions import ConflictException, NotFoundException

from builders import PUBLIC, TENANT
from integration.api.world import World
from integration.stock_client import StockClient

SOON = {"interval": 0.05, "wait": 30}


@pytest.fixture
def cloud(world: World, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """Told of the service by the environment, as `./actium env` does it."""
    for name, value in StockClient(f"http://127.0.0.1:{world.api_settings.listen_port}").environment.items():
        monkeypatch.setenv(name, value)
    return openstack.connect(load_yaml_config=False)


async def test_a_load_balancer_and_all_in_it_live_by_the_software_kit(cloud: Connection) -> None:
    def life() -> None:
        identity: Any = cloud.identity
        assert [project.name for project in identity.projects()] == ["admin"]
        kit: Any = cloud.load_balancer
        lb = _a_load_balancer(kit)
        listener = _a_listener(kit, lb)
        pool = _a_pool_with_members_and_a_monitor(kit, lb, listener)
        _policies(kit, lb, listener, pool)
        _its_end(kit, lb, listener, pool)

    await asyncio.to_thread(life)


def _settled(kit: Any, lb: Any) -> Any:
    return kit.wait_for_load_balancer(lb.id, **SOON)


def _a_load_balancer(kit: Any) -> Any:
    assert kit.find_load_balancer("web") is None
    with pytest.raises(NotFoundException):
        kit.find_load_balancer("web", ignore_missing=False)
    made = kit.create_load_balancer(name="web", vip_subnet_id=PUBLIC, description="first", tags=["red", "blue"])
    assert made.provisioning_status == "PENDING_CREATE"
    settled = _settled(kit, made)
    assert (settled.id, settled.provisioning_status) == (made.id, "ACTIVE")
    assert (settled.vip_address, settled.vip_subnet_id) == (made.vip_address, PUBLIC)
    assert kit.find_load_balancer("web").id == kit.find_load_balancer(made.id).id == made.id
    assert [each.id for each in kit.load_balancers(tags=["red"])] == [made.id]
    assert [each.id for each in kit.load_balancers(not_tags=["red"])] == []
    changed = kit.update_load_balancer(made.id, description="second", tags=["green"], is_admin_state_up=False)
    assert (changed.description, changed.tags, changed.is_admin_state_up) == ("second", ["green"], False)
    kit.update_load_balancer(changed, is_admin_state_up=True)
    _settled(kit, made)
    assert kit.get_load_balancer(made.id).is_admin_state_up
    assert kit.get_load_balancer_statistics(made.id).total_connections == 0
    return made


def _a_listener(kit: Any, lb: Any) -> Any:
    made = kit.create_listener(
        name="http",
        protocol="HTTP",
        protocol_port=80,
        load_balancer_id=lb.id,
        insert_headers={"X-Forwarded-For": "true"},
        allowed_cidrs=["203.0.113.0/24"],
        timeout_client_data=40_000,
    )
    assert [each["id"] for each in made.load_balancers] == [lb.id]
    with pytest.raises(ConflictException):
        kit.create_listener(name="again", protocol="HTTP", protocol_port=80, load_balancer_id=lb.id)
    _settled(kit, lb)
    changed = kit.update_listener(made, connection_limit=100, timeout_member_data=30_000)
    found = kit.find_listener("http")
    assert (found.id, found.connection_limit, found.timeout_member_data) == (changed.id, 100, 30_000)
    assert (found.timeout_client_data, found.allowed_cidrs) == (40_000, ["203.0.113.0/24"])
    assert kit.get_listener_statistics(made.id).active_connections == 0
    assert [each.id for each in kit.listeners(load_balancer_id=lb.id)] == [made.id]
    return made


def _a_pool_with_members_and_a_monitor(kit: Any, lb: Any, listener: Any) -> Any:
    sessions = {"type": "APP_COOKIE", "cookie_name": "SESSION"}
    pool = kit.create_pool(
        name="pool", protocol="HTTP", lb_algorithm="ROUND_ROBIN", listener_id=listener.id, session_persistence=sessions
    )
    _settled(kit, lb)
    kit.update_pool(pool.id, lb_algorithm="LEAST_CONNECTIONS", session_persistence=None)
    found = kit.find_pool("pool")
    assert (found.id, found.lb_algorithm, found.session_persistence) == (pool.id, "LEAST_CONNECTIONS", None)
    assert kit.find_listener("http").default_pool_id == pool.id
    _members(kit, lb, pool)
    _a_monitor(kit, lb, pool)
    return pool


def _members(kit: Any, lb: Any, pool: Any) -> None:
    for name, address in (("one", "10.1.0.11"), ("two", "10.1.0.12")):
        kit.create_member(pool, name=name, address=address, protocol_port=8080, subnet_id=TENANT, weight=2)
    _settled(kit, lb)
    two = kit.find_member("two", pool)
    kit.update_member(two, pool, weight=5, backup=True)
    shown = kit.get_member(two.id, pool)
    assert (shown.address, shown.weight, shown.backup, shown.is_admin_state_up) == ("10.1.0.12", 5, True, True)
    one = kit.find_member("one", pool)
    kit.delete_member(one, pool)
    kit.wait_for_delete(one, **SOON)
    assert [each.name for each in kit.members(pool)] == ["two"]
    assert kit.find_member("one", pool) is None


def _a_monitor(kit: Any, lb: Any, pool: Any) -> None:
    times = {"delay": 5, "timeout": 3, "max_retries": 2}
    monitor = kit.create_health_monitor(name="monitor", pool_id=pool.id, type="HTTP", url_path="/health", **times)
    _settled(kit, lb)
    kit.update_health_monitor(monitor.id, delay=7, expected_codes="200-204")
    found = kit.find_health_monitor("monitor")
    assert (found.delay, found.expected_codes, found.url_path) == (7, "200-204", "/health")
    assert kit.find_pool("pool").health_monitor_id == monitor.id
    kit.delete_health_monitor(monitor, ignore_missing=False)
    kit.wait_for_delete(monitor, **SOON)
    assert kit.find_health_monitor("monitor") is None


def _policies(kit: Any, lb: Any, listener: Any, pool: Any) -> None:
    away = {"action": "REDIRECT_TO_URL", "redirect_url": "https://example.org/"}
    policy = kit.create_l7_policy(name="policy", listener_id=listener.id, position=1, **away)
    rule = kit.create_l7_rule(policy, compare_type="STARTS_WITH", type="PATH", value="/old")
    _settled(kit, lb)
    changed = kit.update_l7_policy(policy.id, action="REDIRECT_TO_POOL", redirect_pool_id=pool.id)
    assert (changed.redirect_pool_id, changed.redirect_url) == (pool.id, None)
    kit.update_l7_rule(rule, policy, rule_value="/older", invert=True)
    found = kit.find_l7_rule(rule.id, policy)
    assert (found.rule_value, found.invert) == ("/older", True)
    assert [each["id"] for each in kit.find_l7_policy("policy").rules] == [rule.id]
    assert [each.id for each in kit.l7_policies(listener_id=listener.id)] == [policy.id]
    kit.delete_l7_rule(rule, policy)
    kit.wait_for_delete(rule, **SOON)
    assert list(kit.l7_rules(policy)) == []


def _its_end(kit: Any, lb: Any, listener: Any, pool: Any) -> None:
    with pytest.raises(openstack.exceptions.BadRequestException, match="it has children"):
        kit.delete_load_balancer(lb)
    kit.delete_load_balancer(lb, cascade=True)
    kit.wait_for_delete(lb, **SOON)
    assert kit.find_load_balancer("web") is None
    for gone in (kit.find_listener(listener.id), kit.find_pool(pool.id), kit.find_l7_policy("policy")):
        assert gone is None
    kit.delete_load_balancer(lb)  # as Ansible does again: what is gone already is fine
    with pytest.raises(NotFoundException):
        kit.delete_load_balancer(lb, ignore_missing=False)


async def test_quotas_flavors_and_zones_are_kept_by_the_software_kit(cloud: Connection) -> None:
    def keep() -> None:
        kit: Any = cloud.load_balancer
        _quotas(cloud)
        _flavors(kit)
        _zones(kit)
        names = [each.name for each in kit.providers()]
        assert names == ["actium", "amphora", "octavia"]
        told = {each.name for each in kit.provider_flavor_capabilities("amphora")}
        assert "loadbalancer_topology" in told

    await asyncio.to_thread(keep)


def _quotas(cloud: Connection) -> None:
    kit: Any = cloud.load_balancer
    project = cloud.current_project_id
    assert kit.get_quota_default().load_balancers == -1
    kit.update_quota(project, load_balancers=5, members=7)
    assert (kit.get_quota(project).load_balancers, kit.get_quota(project).members) == (5, 7)
    assert [each.load_balancers for each in kit.quotas()] == [5]
    kit.delete_quota(project)
    assert kit.get_quota(project).load_balancers == -1


def _flavors(kit: Any) -> None:
    data = '{"loadbalancer_topology": "SINGLE"}'
    profile = kit.create_flavor_profile(name="single", provider_name="amphora", flavor_data=data)
    flavor = kit.create_flavor(name="small", flavor_profile_id=profile.id, is_enabled=True)
    kit.update_flavor(flavor.id, description="a small one")
    assert kit.find_flavor("small").description == "a small one"
    lb = kit.create_load_balancer(name="flavored", vip_subnet_id=PUBLIC, flavor_id=flavor.id)
    assert kit.wait_for_load_balancer("flavored", **SOON).flavor_id == flavor.id
    with pytest.raises(ConflictException):
        kit.delete_flavor(flavor)
    kit.delete_load_balancer(lb, cascade=True)
    kit.wait_for_delete(lb, **SOON)
    kit.delete_flavor(flavor)
    assert kit.find_flavor("small") is None
    assert kit.find_flavor_profile("single").flavor_data == data
    kit.delete_flavor_profile(profile)


def _zones(kit: Any) -> None:
    data = '{"compute_zone": "nova"}'
    profile = kit.create_availability_zone_profile(name="rack", provider_name="amphora", availability_zone_data=data)
    kit.create_availability_zone(name="az1", availability_zone_profile_id=profile.id, is_enabled=True)
    kit.update_availability_zone("az1", is_enabled=False)
    assert kit.find_availability_zone("az1").is_enabled is False
    kit.delete_availability_zone("az1")
    assert list(kit.availability_zones()) == []
    kit.delete_availability_zone_profile(profile)
