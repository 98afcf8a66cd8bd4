"""A world whose callers a real Keystone knows: up, used by a tenant with the stock client, looked into by its operator, down."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stock_client
from actium_embedded import service_user
from real_keystone import server
from real_keystone.server import Keystone
from system.worlds import TestWorld, a_name, free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

REFUSED = "does not let the service user in"


@pytest.fixture
def keystone(tmp_path: Path) -> Iterator[Keystone]:
    folder = tmp_path / "keystone"
    folder.mkdir()
    with server.running(folder) as running:
        service, one = running.make_project("service"), running.make_project("one")
        running.make_user("actium", roles={service: "service"})
        running.make_user("mia", roles={one: "member"})
        yield running


@pytest.fixture
def world(tmp_path: Path, keystone: Keystone) -> Iterator[TestWorld]:
    shell = {"OS_CLOUD": "", "OS_CLIENT_CONFIG_FILE": ""} | keystone.variables("actium", "service")
    world = TestWorld(tmp_path / "world", a_name("k"), environment=shell)
    yield world
    world.down(wipe=True)


def openstack(keystone: Keystone, *words: str) -> Any:
    """Run the stock client as a tenant, whose shell knows of Keystone only."""
    environment = {"NO_PROXY": "127.0.0.1"} | keystone.variables("mia", "one")
    done = stock_client.openstack(environment, *words, "-f", "json")
    assert done.code == 0, done.err
    return json.loads(done.out or "null")


def test_a_world_with_keystone(world: TestWorld, keystone: Keystone) -> None:
    wrong = TestWorld(world.folder, world.name, environment=world.environment | {"OS_PASSWORD": "wrong"})
    with pytest.raises(AssertionError, match=REFUSED):
        wrong.actium("up", "--name", world.name, "--port", str(free_port()), "--auth", "keystone")
    said = world.actium("up", "--name", world.name, "--port", str(free_port()), "--auth", "keystone")
    url = world.facts.api_url
    assert keystone.url in said
    assert f"load-balancer public {url}/load-balancer" in said
    assert_the_password_is_kept_to_root(world)
    keystone.make_endpoint("load-balancer", f"{url}/load-balancer")
    keystone.make_endpoint("network", f"{url}/network")
    create = ("loadbalancer", "create", "--vip-subnet-id", "public", "--name", "web", "--wait")
    made = openstack(keystone, *create)
    assert made["provisioning_status"] == "ACTIVE"
    assert made["project_id"] == keystone.project_id("one")
    story = world.actium("events", "show", "web", "--json")
    assert made["project_id"] in story
    world.actium("status")
    world.environment = {"OS_AUTH_URL": "http://127.0.0.1:1/v3"}  # a shell that knows nothing of it any more
    world.actium("up")
    with pytest.raises(AssertionError, match="way to authenticate"):
        world.actium("up", "--auth", "none")
    assert openstack(keystone, "loadbalancer", "flavor", "list") == []
    world.down()
    world.facts.policy_file.write_text('"os_load-balancer_api:flavor:get_all": "!"\n')
    world.actium("up")
    with pytest.raises(AssertionError, match="Policy does not allow this request"):
        openstack(keystone, "loadbalancer", "flavor", "list")
    assert [each["name"] for each in openstack(keystone, "loadbalancer", "list")] == ["web"]
    assert "OS_" not in world.actium("env")


def assert_the_password_is_kept_to_root(world: TestWorld) -> None:
    kept = service_user.file(world.facts)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["clouds"]["actium"]["auth"]["password"] == "actium"
    pid = world.pid("api")
    assert "OS_PASSWORD" not in Path(f"/proc/{pid}/environ").read_text()
    assert "OS_PASSWORD" not in (world.facts.run / "processes.table").read_text()
