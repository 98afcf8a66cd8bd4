"""Who is alive: every kind of monitor takes a dead member out and brings it back. Real packets."""

import ssl
import subprocess
from pathlib import Path

import pytest

from builders import health_monitor
from certificates import Issued, server
from system.amphora_agent.sandbox import Sandbox, Stream
from system.features.origin import Origin
from system.features.scene import Scene, a_listener, a_member, a_pool
from system.namespaces import eventually

pytestmark = pytest.mark.root

QUICK = {"delay_s": 1, "timeout_s": 1, "max_retries": 1, "max_retries_down": 1}


def server_context(issued: Issued, folder: Path, *, client_ca: Issued | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = folder / f"{issued.certificate.serial_number}.pem"
    path.write_bytes(issued.pem + issued.intermediates_pem + issued.key_pem)
    context.load_cert_chain(path)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem.decode())
    return context


@pytest.fixture
def one(scene: Scene) -> Origin:
    return scene.origin("one")


@pytest.fixture
def two(scene: Scene) -> Origin:
    return scene.origin("two")


def watched(scene: Scene, one: Origin, two: Origin, **fields: object) -> None:
    pool = a_pool(a_member(one), a_member(two), monitor=health_monitor(**(QUICK | fields)))
    scene.apply(a_listener(pool), pools=(pool,))


def test_http_asks_as_told_and_wants_the_codes_it_expects(scene: Scene, one: Origin, two: Origin) -> None:
    words = {"url_path": "/health?it's", "http_method": "OPTIONS", "http_version": 1.1, "domain_name": "h.example"}
    two.status = 418
    watched(scene, one, two, type="HTTP", expected_codes="200-204", **words)
    scene.until_serving("one")
    check = next(request for request in two.seen if request["path"].startswith("/health"))
    assert (check["method"], check["path"], check["version"]) == ("OPTIONS", "/health?it's", "HTTP/1.1")
    assert check["headers"]["host"] == "h.example"
    watched(scene, one, two, type="HTTP", expected_codes="200,418", **words)
    scene.until_serving("one", "two")


def test_a_check_in_http_1_1_names_a_host_also_where_nobody_said_which(scene: Scene, one: Origin) -> None:
    pool = a_pool(a_member(one), monitor=health_monitor(**QUICK, url_path="/health", http_version=1.1))
    scene.apply(a_listener(pool), pools=(pool,))
    eventually(lambda: "/health" in one.asked, deadline_s=15)
    check = next(request for request in one.seen if request["path"] == "/health")
    assert (check["version"], check["headers"]["host"]) == ("HTTP/1.1", one.address)


@pytest.mark.parametrize(
    ("checked_by", "pooled"), [("HTTPS", {"protocol": "HTTPS"}), ("HTTP", {"tls_enabled": True, "protocol": "HTTP"})]
)
def test_an_encrypted_check_asks_for_the_host_in_the_hello_too(
    scene: Scene, checked_by: str, pooled: dict[str, object], tmp_path: Path
) -> None:
    wanted: list[str | None] = []
    context = server_context(server("h.example"), tmp_path)
    context.set_servername_callback(lambda _link, name, _context: wanted.append(name))
    encrypted = scene.origin("encrypted", tls=context)
    monitor = health_monitor(**QUICK, type=checked_by, url_path="/health", http_version=1.1, domain_name="h.example")
    pool = a_pool(a_member(encrypted), monitor=monitor, **pooled)
    scene.apply(a_listener(pool, protocol=pooled["protocol"]), pools=(pool,))
    eventually(lambda: "/health" in encrypted.asked, deadline_s=15)
    assert wanted[0] == "h.example"
    assert encrypted.seen[0]["headers"]["host"] == "h.example"


def test_tcp_sees_who_takes_no_connection(scene: Scene, one: Origin, two: Origin) -> None:
    watched(scene, one, two, type="TCP")
    scene.until_serving("one", "two")
    two.stop()
    scene.until_serving("one")
    two.start()
    scene.until_serving("one", "two")


@pytest.mark.parametrize("kind", ["HTTPS", "TLS-HELLO"])
def test_encrypted_checks_need_a_server_that_speaks_tls(scene: Scene, one: Origin, kind: str, tmp_path: Path) -> None:
    encrypted = scene.origin("encrypted", tls=server_context(server(), tmp_path))
    pool = a_pool(
        a_member(one), a_member(encrypted), monitor=health_monitor(**QUICK, type=kind), protocol="HTTPS", name="tls"
    )
    scene.apply(a_listener(pool, protocol="HTTPS"), pools=(pool,))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    scene.until_serving("encrypted", tls=context)


def test_a_hello_is_answered_also_by_who_wants_to_know_more_of_a_client(
    scene: Scene, one: Origin, tmp_path: Path
) -> None:
    # It demands a certificate, which a check has not: only a whole handshake would fail for that.
    strict = scene.origin("strict", tls=server_context(server(), tmp_path, client_ca=server()))
    pool = a_pool(
        a_member(one), a_member(strict), monitor=health_monitor(**QUICK, type="TLS-HELLO"), protocol="HTTPS", name="tls"
    )
    scene.apply(a_listener(pool, protocol="HTTPS"), pools=(pool,))
    pool_id = str(pool.pool.id)

    def members() -> dict[str, str]:
        pools = scene.sandbox.controller.ask("GET", "/v1/statistics").body["pools"]
        return {a_member(origin).id: pools[pool_id]["members"][a_member(origin).id] for origin in (one, strict)}

    eventually(lambda: members() == {a_member(one).id: "DOWN", a_member(strict).id: "UP"}, deadline_s=15)


def test_a_hello_to_members_that_are_spoken_to_in_tls_is_not_wrapped_in_another(
    scene: Scene, one: Origin, tmp_path: Path
) -> None:
    encrypted = scene.origin("encrypted", tls=server_context(server(), tmp_path))
    monitor = health_monitor(**QUICK, type="TLS-HELLO")
    pool = a_pool(a_member(one), a_member(encrypted), monitor=monitor, tls_enabled=True, name="tls")
    scene.apply(a_listener(pool), pools=(pool,))
    scene.until_serving("encrypted")


def test_ping_sees_who_is_gone_whatever_listens(scene: Scene, one: Origin, feature_sandbox: Sandbox) -> None:
    address = "203.0.113.40"

    def link(word: str) -> None:
        subprocess.run(["ip", "-n", feature_sandbox.fabric, "addr", word, f"{address}/24", "dev", "public"], check=True)

    link("add")
    gone = scene.origin("gone", address=address)
    monitor = health_monitor(**QUICK, type="PING")
    pool = a_pool(a_member(one), a_member(gone), monitor=monitor)
    scene.apply(a_listener(pool), pools=(pool,))
    scene.until_serving("one", "gone")
    link("del")
    scene.until_serving("one")
    link("add")
    scene.until_serving("one", "gone")
    # One that is added without a reload is pinged, too.
    three = scene.origin("three")
    pool = a_pool(a_member(one), a_member(gone), a_member(three), monitor=monitor)
    assert scene.apply(a_listener(pool), pools=(pool,)) == "runtime"
    scene.until_serving("one", "gone", "three")


def test_members_that_are_pinged_serve_on_while_the_agent_is_started_anew(
    scene: Scene, one: Origin, two: Origin, feature_sandbox: Sandbox
) -> None:
    watched(scene, one, two, type="PING")
    scene.until_serving("one", "two")
    with Stream(feature_sandbox) as stream:
        feature_sandbox.kill("-m actium_amphora_agent")
        eventually(feature_sandbox.controller.status, deadline_s=15)
        stream.flows_on()
    assert stream.failed == []


def test_a_monitor_looks_where_the_member_says(scene: Scene, one: Origin) -> None:
    substitute = scene.origin("substitute")
    substitute.status = 500
    checked = a_member(one, monitor_address=substitute.address, monitor_port=substitute.port)
    pool = a_pool(checked, monitor=health_monitor(**QUICK, url_path="/health"))
    scene.apply(a_listener(pool), pools=(pool,))
    eventually(lambda: scene.get().status == 503, deadline_s=15)
    assert not any("/health" in path for path in one.asked)
    substitute.status = 200
    eventually(lambda: scene.get().status == 200, deadline_s=15)
