"""A PROMETHEUS listener tells figures of every listener, pool and member under the API's names. Real packets."""

import re

import pytest

from actium_shared.ids import ListenerId
from builders import an_id
from system.features.scene import OTHER_CLIENTS, Scene, a_listener, a_member, a_pool, certificate_secret
from system.features.test_tls import DEFAULT, WWW, trusting
from system.namespaces import eventually

pytestmark = pytest.mark.root
METRICS = ListenerId(an_id("metrics"))


def test_figures_have_the_names_that_dashboards_know(scene: Scene) -> None:
    one = scene.origin("one")
    pool = a_pool(a_member(one))
    metrics = a_listener(id=METRICS, protocol="PROMETHEUS", protocol_port=9100)
    scene.apply(a_listener(pool), metrics, pools=(pool,))
    for _ in range(3):
        assert scene.get().server == "one"
    answer = scene.get("/metrics", to_port=9100)
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    listener, backend, member = an_id("listener"), f"{pool.pool.id}:{an_id('listener')}", an_id("one")
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert values[f'octavia_listener_http_requests_total{{listener="{listener}"}}'] == "3"
    assert values[f'octavia_pool_active_members{{pool="{backend}"}}'] == "1"
    assert values[f'octavia_member_weight{{pool="{backend}",member="{member}"}}'] == "1"
    assert {
        "octavia_memory_pool_allocated_bytes",
        "octavia_loadbalancer_cpu",
        "octavia_loadbalancer_memory",
    } <= values.keys()
    assert not any(re.search(r"haproxy|_exporter|_metrics", line) for line in values)
    kinds = [line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))


def test_nothing_else_is_there_and_ranges_and_tls_hold(scene: Scene) -> None:
    metrics = a_listener(
        id=METRICS, protocol="PROMETHEUS", protocol_port=9100,
        allowed_cidrs=(f"{OTHER_CLIENTS[0]}/32",), default_tls_container_ref=DEFAULT,
    )  # fmt: skip
    scene.apply(metrics, secrets={DEFAULT: certificate_secret(WWW)})
    words = {"to_port": 9100, "tls": trusting(WWW)}
    assert scene.get("/metrics", source=OTHER_CLIENTS[0], **words).status == 200
    assert scene.get("/", source=OTHER_CLIENTS[0], **words).status == 404
    with pytest.raises(OSError):
        scene.get("/metrics", source=OTHER_CLIENTS[1], **words)


def test_they_come_again_after_a_reload_and_after_the_agents_death(scene: Scene) -> None:
    metrics = a_listener(id=METRICS, protocol="PROMETHEUS", protocol_port=9100)
    for limit in (10, 11):
        scene.apply(
            a_listener(), a_listener(id=METRICS, protocol="PROMETHEUS", protocol_port=9100, connection_limit=limit)
        )
        assert scene.get("/metrics", to_port=9100).status == 200
    scene.sandbox.kill("-m actium_amphora_agent")
    eventually(lambda: scene.get("/metrics", to_port=9100).status == 200, deadline_s=15)
    eventually(scene.sandbox.controller.status, deadline_s=15)
    assert scene.apply(metrics) == "reload"
