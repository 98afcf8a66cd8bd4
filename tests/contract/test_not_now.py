"""Answers 503: upstream's body, a request's id, and words about what to do; where it is known for how long, Retry-After."""

import os
from pathlib import Path

import httpx
import pytest

from actium_api.settings import ApiSettings
from actium_shared.testing.nats_server import free_port
from contract.memory_world import MemoryWorld

HEADERS = {"X-Auth-Token": "gAAAA-a-token"}
OPERATOR_KEY = "an-operator-key-of-this-test-0123456789"


def not_now(response: httpx.Response, *words: str) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-openstack-request-id"].startswith("req-")
    fault = response.json()
    assert fault == {"faultcode": "Server", "faultstring": fault["faultstring"], "debuginfo": None}
    for word in (*words, "try again"):
        assert word in fault["faultstring"]


def test_an_api_that_has_just_started_says_so_and_what_needs_no_log_is_answered() -> None:
    with MemoryWorld() as world:
        world.caught_up.clear()
        for method, path in (("GET", "/loadbalancers"), ("POST", "/flavors"), ("DELETE", "/pools/some")):
            not_now(world.request(method, path), "just started", "still reading the log")
        assert world.request("GET", "http://api/").status_code == 200
        world.caught_up.set()
        assert world.request("GET", "/loadbalancers").status_code == 200


@pytest.fixture
def without_keystone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose Keystone does not answer."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    site = {"auth_url": f"http://127.0.0.1:{free_port()}/v3", "username": "actium", "password": "secret"}
    for name, value in (site | {"project_name": "service", "user_domain_id": "d", "project_domain_id": "d"}).items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)


@pytest.mark.usefixtures("without_keystone")
def test_while_keystone_is_away_callers_are_asked_to_come_back_soon(tmp_path: Path) -> None:
    key = tmp_path / "operator.key"
    key.write_text(OPERATOR_KEY)
    with MemoryWorld(ApiSettings(auth="keystone", operator_key_file=key)) as world:
        for _ in range(2):  # asked, and not asked again at once
            response = world.request("GET", "/loadbalancers", headers=HEADERS)
            not_now(response, "identity service", "who you are")
            assert int(response.headers["retry-after"]) >= 1
        assert world.request("GET", "/loadbalancers").status_code == 401  # without a token there is nobody to ask about
        known = world.request("GET", "/loadbalancers", headers={"X-Actium-Operator-Key": OPERATOR_KEY})
        assert known.status_code == 200


POLICY = '"os_load-balancer_api:flavor:get_all": "!"\n'


@pytest.mark.usefixtures("without_keystone")
@pytest.mark.parametrize(("rules", "status"), [("", 200), (POLICY, 403)])
def test_a_policy_file_changes_answers(tmp_path: Path, rules: str, status: int) -> None:
    key, policy = tmp_path / "operator.key", tmp_path / "policy.yaml"
    key.write_text(OPERATOR_KEY)
    policy.write_text(rules)
    with MemoryWorld(ApiSettings(auth="keystone", operator_key_file=key, policy_file=policy)) as world:
        response = world.request("GET", "/flavors", headers={"X-Actium-Operator-Key": OPERATOR_KEY})
        assert response.status_code == status, response.text
        assert ("Policy does not allow this request" in response.text) is (status == 403)
