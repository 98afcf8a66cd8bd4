"""Who gets a request: algorithms, weights, reserves, persistence, administrative states, limits. Real packets."""

import http.client
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from actium_shared.wishes import Member, SessionPersistence
from builders import health_monitor
from system.features.origin import Origin
from system.features.scene import OTHER_CLIENTS, Scene, a_listener, a_member, a_pool, a_sandbox
from system.namespaces import eventually, inside

pytestmark = pytest.mark.root
LEARNED = 0x3
"""haproxy's marks for having heard of its predecessor and of its partners, or waited for them."""


@pytest.fixture
def one(scene: Scene) -> Origin:
    return scene.origin("one")


@pytest.fixture
def two(scene: Scene) -> Origin:
    return scene.origin("two")


def test_round_robin_follows_the_weights_and_weight_0_drains(scene: Scene, one: Origin, two: Origin) -> None:
    pool = a_pool(a_member(one, weight=3), a_member(two, weight=1))
    scene.apply(a_listener(pool), pools=(pool,))
    assert Counter(scene.servers(8)) == {"one": 6, "two": 2}
    pool = a_pool(a_member(one, weight=3), a_member(two, weight=0))
    assert scene.apply(a_listener(pool), pools=(pool,)) == "runtime"
    assert set(scene.servers(6)) == {"one"}


def test_a_draining_member_keeps_the_clients_that_it_has(scene: Scene, one: Origin, two: Origin) -> None:
    def balanced(weight: int) -> None:
        persistence = SessionPersistence(type="HTTP_COOKIE")
        pool = a_pool(a_member(one), a_member(two, weight=weight), session_persistence=persistence)
        scene.apply(a_listener(pool), pools=(pool,))

    balanced(1)
    cookie = next(
        answer.headers["Set-Cookie"] for answer in (scene.get() for _ in range(4)) if answer.server == "two"
    ).split(";")[0]
    balanced(0)
    assert {scene.get(Cookie=cookie).server for _ in range(4)} == {"two"}
    assert set(scene.servers(4)) == {"one"}


def test_least_connections_goes_where_fewer_are(scene: Scene, one: Origin, two: Origin) -> None:
    def balanced(*members: Member) -> str:
        pool = a_pool(*members, protocol="TCP", lb_algorithm="LEAST_CONNECTIONS")
        return scene.apply(a_listener(pool, protocol="TCP"), pools=(pool,))

    balanced(a_member(one))
    held = [scene.connect() for _ in range(5)]
    for link in held:
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert link.recv(65536)
    assert balanced(a_member(one), a_member(two)) == "runtime"
    assert set(scene.servers(6)) == {"two"}
    for link in held:
        link.close()


def test_source_ip_keeps_a_client_and_spreads_clients(scene: Scene, one: Origin, two: Origin) -> None:
    pool = a_pool(a_member(one), a_member(two), lb_algorithm="SOURCE_IP")
    scene.apply(a_listener(pool), pools=(pool,))
    chosen = {client: set(scene.servers(3, source=client)) for client in OTHER_CLIENTS}
    assert all(len(servers) == 1 for servers in chosen.values())
    assert set.union(*chosen.values()) == {"one", "two"}


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_source_ip_and_port_keeps_a_port_and_spreads_ports(
    scene: Scene, one: Origin, two: Origin, protocol: str
) -> None:
    pool = a_pool(a_member(one), a_member(two), protocol=protocol, lb_algorithm="SOURCE_IP_PORT")
    scene.apply(a_listener(pool, protocol=protocol), pools=(pool,))
    chosen = {number: set(scene.servers(2, source_port=number)) for number in range(31_000, 31_012)}
    assert all(len(servers) == 1 for servers in chosen.values()), chosen
    assert set.union(*chosen.values()) == {"one", "two"}


def test_all_reserves_serve_when_no_other_can_and_only_then(scene: Scene, one: Origin, two: Origin) -> None:
    three = scene.origin("three")
    monitor = health_monitor(type="TCP", max_retries=1, max_retries_down=1)
    pool = a_pool(a_member(one), a_member(two, backup=True), a_member(three, backup=True), monitor=monitor)
    scene.apply(a_listener(pool), pools=(pool,))
    assert set(scene.servers(6)) == {"one"}
    one.stop()
    scene.until_serving("two", "three")
    one.start()
    scene.until_serving("one")


def test_persistence_by_source_address(scene: Scene, one: Origin, two: Origin) -> None:
    pool = a_pool(a_member(one), a_member(two), session_persistence=SessionPersistence(type="SOURCE_IP"))
    scene.apply(a_listener(pool), pools=(pool,))
    chosen = [set(scene.servers(3, source=client)) for client in OTHER_CLIENTS[:6]]
    assert all(len(servers) == 1 for servers in chosen)
    assert set.union(*chosen) == {"one", "two"}


def test_persistence_by_a_cookie_of_the_application(scene: Scene, one: Origin, two: Origin) -> None:
    persistence = SessionPersistence(type="APP_COOKIE", cookie_name="SESSION")
    pool = a_pool(a_member(one), a_member(two), session_persistence=persistence)
    scene.apply(a_listener(pool), pools=(pool,))
    one.token = two.token = 100 * "x"  # sessions that differ only at their ends
    for _ in range(3):
        login = scene.get("/login")
        cookie = login.headers["Set-Cookie"].split(";")[0]
        assert {scene.get(Cookie=cookie).server for _ in range(4)} == {login.server}
    assert set(scene.servers(4)) == {"one", "two"}


def test_members_with_our_cookie_come_and_go_without_a_reload_and_keep_their_clients(
    scene: Scene, one: Origin, two: Origin
) -> None:
    def balanced(*members: Member, limit: int = -1) -> str:
        pool = a_pool(*members, session_persistence=SessionPersistence(type="HTTP_COOKIE"))
        return scene.apply(a_listener(pool, connection_limit=limit), pools=(pool,))

    def cookie_of(origin: Origin) -> str:
        answers = (scene.get() for _ in range(12))
        return next(answer.headers["Set-Cookie"] for answer in answers if answer.server == origin.name).split(";")[0]

    extras = [scene.origin(f"extra{number}") for number in range(6)]
    balanced(a_member(one))
    kept = cookie_of(one)
    for extra in extras:  # many changes, and nothing that runs out
        assert balanced(a_member(one), a_member(extra)) == "runtime"
        cookie = cookie_of(extra)
        assert {scene.get(Cookie=cookie).server for _ in range(4)} == {extra.name}
        assert {scene.get(Cookie=kept).server for _ in range(4)} == {"one"}
    assert balanced(a_member(one), a_member(extras[0]), a_member(two)) == "runtime"
    cookies = {origin.name: cookie_of(origin) for origin in (one, extras[0], two)}
    assert cookies["one"] == kept
    # The file says the same as what was said at run time.
    assert balanced(a_member(one), a_member(extras[0]), a_member(two), limit=1000) == "reload"
    for name, cookie in cookies.items():
        assert {scene.get(Cookie=cookie).server for _ in range(4)} == {name}


def test_a_limit_of_0_is_none_as_minus_1_is(scene: Scene, one: Origin) -> None:
    pool = a_pool(a_member(one))
    scene.apply(a_listener(pool, connection_limit=0), pools=(pool,))
    assert set(scene.servers(4)) == {"one"}


def test_what_is_down_by_order_does_not_serve_at_any_level(scene: Scene, one: Origin, two: Origin) -> None:
    pool = a_pool(a_member(one), a_member(two, admin_state_up=False))
    scene.apply(a_listener(pool), pools=(pool,))
    assert set(scene.servers(4)) == {"one"}

    pool = a_pool(a_member(one), admin_state_up=False)
    scene.apply(a_listener(pool), pools=(pool,))
    assert scene.get().status == 503

    pool = a_pool(a_member(one))
    scene.apply(a_listener(pool, admin_state_up=False), pools=(pool,))
    with pytest.raises(ConnectionRefusedError):
        scene.get()

    scene.apply(a_listener(pool), pools=(pool,), admin_state_up=False)
    with pytest.raises(ConnectionRefusedError):
        scene.get()


def test_a_monitor_that_is_down_by_order_checks_nothing(scene: Scene, one: Origin, two: Origin) -> None:
    two.status = 500
    monitor = health_monitor(url_path="/health", max_retries=1, max_retries_down=1)
    pool = a_pool(a_member(one), a_member(two), monitor=monitor)
    scene.apply(a_listener(pool), pools=(pool,))
    scene.until_serving("one")
    off = health_monitor(url_path="/health", admin_state_up=False)
    pool = a_pool(a_member(one), a_member(two), monitor=off)
    scene.apply(a_listener(pool), pools=(pool,))
    assert set(scene.servers(4)) == {"one", "two"}


def test_no_more_connections_than_the_limit(scene: Scene, one: Origin) -> None:
    pool = a_pool(a_member(one), protocol="TCP")
    scene.apply(a_listener(pool, protocol="TCP", connection_limit=1), pools=(pool,))
    first = scene.connect()
    first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert first.recv(65536)
    second = scene.connect()
    second.settimeout(0.3)
    second.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(TimeoutError):
        second.recv(65536)
    first.close()
    second.settimeout(5)
    assert second.recv(65536)
    second.close()


def test_only_allowed_ranges_get_in(scene: Scene, one: Origin) -> None:
    pool = a_pool(a_member(one))
    allowed = (f"{OTHER_CLIENTS[0]}/32", "198.51.100.0/24")
    scene.apply(a_listener(pool, allowed_cidrs=allowed), pools=(pool,))
    assert scene.get(source=OTHER_CLIENTS[0]).server == "one"
    with pytest.raises((ConnectionError, http.client.BadStatusLine)):
        scene.get(source=OTHER_CLIENTS[1])


def test_a_member_that_is_too_slow_is_given_up(scene: Scene, one: Origin) -> None:
    pool = a_pool(a_member(one))
    scene.apply(a_listener(pool, timeout_member_data_ms=200), pools=(pool,))
    assert scene.get("/?wait_s=0.01").status == 200
    assert scene.get("/?wait_s=1").status == 504


def test_a_client_that_says_nothing_is_hung_up_on(scene: Scene, one: Origin) -> None:
    pool = a_pool(a_member(one), protocol="TCP")
    scene.apply(a_listener(pool, protocol="TCP", timeout_client_data_ms=200), pools=(pool,))
    silent = scene.connect()
    began_at = time.monotonic()
    assert silent.recv(1) == b""
    assert 0.1 < time.monotonic() - began_at < 4
    silent.close()


def test_a_member_that_does_not_take_the_connection_is_given_up(scene: Scene) -> None:
    # A listener whose queue is full drops what knocks.
    deaf = scene.origin("deaf")
    deaf.stop()
    taken: list[socket.socket] = []

    def make() -> socket.socket:
        full = socket.socket()
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind((deaf.address, deaf.port))
        full.listen(0)
        for _ in range(3):
            knocking = socket.socket()
            knocking.setblocking(False)
            knocking.connect_ex((deaf.address, deaf.port))
            taken.append(knocking)
        return full

    taken.append(inside(scene.sandbox.fabric, make))
    pool = a_pool(a_member(deaf))
    scene.apply(a_listener(pool, timeout_member_connect_ms=100), pools=(pool,))
    began_at = time.monotonic()
    assert eventually(scene.get).status == 503
    assert time.monotonic() - began_at < 4
    for each in taken:
        each.close()
    deaf.start()


@pytest.mark.parametrize(("protocol", "version"), [("PROXY", "v1"), ("PROXYV2", "v2")])
@pytest.mark.parametrize("balanced", ["HTTP", "TCP"])
def test_members_learn_the_client_from_a_proxy_header(scene: Scene, protocol: str, version: str, balanced: str) -> None:
    told = scene.origin("told", proxied=True)
    pool = a_pool(a_member(told), protocol=protocol)
    scene.apply(a_listener(pool, protocol=balanced), pools=(pool,))
    assert scene.get(source=OTHER_CLIENTS[3]).arrived["proxy"] == f"{version} {OTHER_CLIENTS[3]}"


# ---- what takes its time, last


@pytest.fixture(scope="module", autouse=True)
def remembering(tmp_path_factory: pytest.TempPathFactory, amphora_image: Path) -> Iterator[Scene]:
    """An amphora of its own, that remembers clients from the first: haproxy takes ten seconds to be sure that it knows all."""
    with a_sandbox(tmp_path_factory.mktemp("remembering") / "amphora", amphora_image) as sandbox:
        scene = Scene(sandbox)
        one = a_pool(session_persistence=SessionPersistence(type="SOURCE_IP"))
        scene.apply(a_listener(one), pools=(one,))
        yield scene


@pytest.mark.parametrize("kind", ["SOURCE_IP", "APP_COOKIE"])
def test_what_is_remembered_of_clients_outlives_a_reload(remembering: Scene, kind: str) -> None:
    scene = remembering
    cookie_name = "SESSION" if kind == "APP_COOKIE" else None
    persistence = SessionPersistence(type=kind, cookie_name=cookie_name)
    pool = a_pool(*(a_member(scene.origin(name)) for name in ("one", "two", "three")), session_persistence=persistence)
    scene.apply(a_listener(pool), pools=(pool,))
    eventually(lambda: is_sure(scene), deadline_s=15)
    clients: list[dict[str, str]] = [{"source": client} for client in OTHER_CLIENTS]
    if cookie_name:
        cookies = [scene.get("/login").headers["Set-Cookie"].split(";")[0] for _ in OTHER_CLIENTS]
        clients = [{"Cookie": cookie} for cookie in cookies]
    before = [scene.get(**client).server for client in clients]
    assert set(before) == {"one", "two", "three"}
    for limit in (1000, 2000, 3000):
        assert scene.apply(a_listener(pool, connection_limit=limit), pools=(pool,)) == "reload"
        # Another client comes between, so that turns alone would not give the same.
        scene.get()
        assert [scene.get(**client).server for client in clients] == before
    scene.clear()


def is_sure(scene: Scene) -> bool:
    """Whether haproxy believes that it knows all that there is to know; before that it hands nothing on."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(f"/proc/{scene.sandbox.init}/root/run/amphora/haproxy.sock")
        asking.sendall(b"show peers\n")
        asking.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: asking.recv(65_536), b"")).decode()
    found = re.search(r"_appliance .* flags=0x([0-9a-f]+)", said)
    return found is not None and int(found[1], 16) & LEARNED == LEARNED
