"""What the driver writes, read by a real haproxy: it takes every file, and runtime commands lead where the file leads."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.amphora_drivers.haproxy.render import LOG_SOCKET, STATE_FILE, STATS_SOCKET
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import ListenerId, MemberId, PoolId
from actium_shared.wishes import HealthMonitor, Listener, Member, PoolWish, SessionPersistence
from builders import an_id, health_monitor, listener, member, pool, vip
from unit.compute.wishes import PORTS, order

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")
DRIVER = HaproxyDriver()
START_TIMEOUT_S = 10.0

MONITORS = st.none() | st.builds(
    health_monitor,
    type=st.sampled_from(["HTTP", "TCP", "HTTPS", "TLS-HELLO"]),
    delay_s=st.integers(1, 86_400),
    timeout_s=st.integers(1, 86_400),
    max_retries=st.integers(1, 10),
    max_retries_down=st.integers(1, 10),
    http_method=st.none() | st.sampled_from(["GET", "HEAD", "POST", "CONNECT"]),
    url_path=st.none()
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=900).map(lambda t: "/" + t),
    expected_codes=st.none() | st.sampled_from(["200", "200,202", "200-204", "100-199, 204"]),
    http_version=st.none() | st.sampled_from([1.0, 1.1]),
    domain_name=st.none() | st.sampled_from(["example.com", "a_b.example"]),
    admin_state_up=st.booleans(),
)
ADDRESSES = st.ip_addresses().filter(lambda one: not one.is_unspecified and not one.is_multicast).map(str)
MEMBERS = st.builds(
    member,
    id=st.uuids().map(lambda value: MemberId(str(value))),
    address=ADDRESSES,
    protocol_port=st.integers(1, 65_535),
    weight=st.integers(0, 256),
    backup=st.booleans(),
    admin_state_up=st.booleans(),
    subnet_id=st.none() | st.sampled_from([an_id("tenant"), an_id("public")]),
    monitor_address=st.none() | ADDRESSES,
    monitor_port=st.none() | st.integers(1, 65_535),
)
PERSISTENCES = st.sampled_from([None, "SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"])
COOKIES = st.text(st.sampled_from("aZ0!#$%&*+.^_`|~-"), min_size=1, max_size=20)


@st.composite
def pools(draw: st.DrawFn, *, protocol: str) -> PoolWish:
    kind = draw(PERSISTENCES)
    if protocol != "HTTP" and kind != "SOURCE_IP":
        kind = None
    persistence = SessionPersistence(
        type=kind, cookie_name=draw(COOKIES), persistence_timeout_s=draw(st.none() | st.integers(1, 9999))
    ) if kind else None  # fmt: skip
    the_pool = pool(
        id=PoolId(str(draw(st.uuids()))),
        protocol=draw(st.sampled_from([protocol, "PROXY", "PROXYV2"])),
        lb_algorithm=draw(st.sampled_from(["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP"])),
        session_persistence=persistence,
    )
    members = draw(st.lists(MEMBERS, max_size=4, unique_by=lambda one: one.id))
    return PoolWish(pool=the_pool, members=tuple(members), health_monitor=draw(MONITORS))


@st.composite
def served(draw: st.DrawFn) -> tuple[Listener, PoolWish | None]:
    protocol = draw(st.sampled_from(["HTTP", "TCP", "HTTPS"]))
    the_pool = draw(st.none() | pools(protocol=protocol))
    headers = st.dictionaries(
        st.sampled_from(["X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"]), st.just("true")
    )
    the_listener = listener(
        id=ListenerId(str(draw(st.uuids()))),
        protocol=protocol,
        protocol_port=draw(st.integers(1, 65_535)),
        default_pool_id=the_pool.pool.id if the_pool else None,
        connection_limit=draw(st.integers(-1, 100_000)),
        timeout_client_data_ms=draw(st.integers(0, 31_536_000_000)),
        timeout_member_connect_ms=draw(st.integers(1, 31_536_000_000)),
        timeout_tcp_inspect_ms=draw(st.integers(0, 10_000)),
        insert_headers=draw(headers) if protocol == "HTTP" else {},
        allowed_cidrs=tuple(draw(st.lists(st.ip_addresses().map(str), max_size=3))),
    )
    return the_listener, the_pool


@given(st.lists(served(), min_size=1, max_size=3, unique_by=lambda pair: pair[0].protocol_port))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_haproxy_takes_every_configuration_that_the_driver_writes(
    pairs: list[tuple[Listener, PoolWish | None]],
) -> None:
    wish = order(*(the_pool for _, the_pool in pairs if the_pool), listeners=tuple(one for one, _ in pairs))
    content = DRIVER.render(wish, PORTS).files["haproxy.cfg"]
    with tempfile.NamedTemporaryFile() as states:  # the agent has always one, and haproxy warns where there is none
        states.write(b"1\n")
        states.flush()
        checked = haproxy_check(content.replace(STATE_FILE.encode(), states.name.encode()))
    assert checked.returncode == 0, content.decode() + checked.stderr.decode()
    assert b"WARNING" not in checked.stderr, checked.stderr.decode()


def haproxy_check(content: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["haproxy", "-c", "-f", "/dev/stdin"], input=content, capture_output=True, check=False)


def wish_with(members: list[Member], monitor: HealthMonitor | None) -> ConfigureAmphora:
    return order(
        PoolWish(pool=pool(), members=tuple(members), health_monitor=monitor),
        listeners=(listener(default_pool_id=an_id("pool"), protocol_port=18_099),),
        balancer={"vip": vip(address="127.77.255.1")},
    )


def a_member(name: str, **fields: object) -> Member:
    return member(id=MemberId(an_id(name)), address="127.77.255.2", **fields)


@pytest.mark.parametrize("monitor", [None, health_monitor(type="TCP", delay_s=60)])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([a_member("a")], [a_member("a", weight=9)]),
        ([a_member("a"), a_member("b")], [a_member("a", weight=0), a_member("b", admin_state_up=False)]),
        ([a_member("a", admin_state_up=False)], [a_member("a")]),
        ([a_member("a")], [a_member("a"), a_member("b", weight=7), a_member("c", admin_state_up=False)]),
        ([a_member("a"), a_member("b")], [a_member("b")]),
        ([a_member("a")], [a_member("b", backup=True, monitor_port=99)]),
        ([], [a_member("a")]),
        ([a_member("a")], []),
    ],
)
def test_commands_lead_to_what_the_file_says(
    before: list[Member], after: list[Member], monitor: HealthMonitor | None, tmp_path: Path
) -> None:
    commands = DRIVER.runtime_commands(wish_with(before, monitor), wish_with(after, monitor), PORTS)
    assert commands
    with running(wish_with(before, monitor), tmp_path / "changed") as changed:
        for command in commands:
            answer = ask(changed, command).strip()
            assert answer in ("", "New server registered.", "Server deleted."), (command, answer)
        found = servers(changed)
    with running(wish_with(after, monitor), tmp_path / "fresh") as fresh:
        assert found == servers(fresh)


@contextmanager
def running(wish: ConfigureAmphora, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    stats = folder / "s"
    content = DRIVER.render(wish, PORTS).files["haproxy.cfg"].decode()
    content = content.replace(STATS_SOCKET, str(stats)).replace(LOG_SOCKET, str(folder / "l"))
    content = content.replace(STATE_FILE, str(folder / "t"))
    (folder / "haproxy.cfg").write_text(content)
    process = subprocess.Popen(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stderr=subprocess.DEVNULL)
    try:
        wait_for(stats)
        yield stats
    finally:
        process.kill()
        process.wait(10)


def wait_for(stats: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            ask(stats, "show info")
            return
        except OSError:
            assert time.monotonic() < deadline, "haproxy did not start"
            time.sleep(0.01)


def ask(stats: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.settimeout(5)
        endpoint.connect(str(stats))
        endpoint.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: endpoint.recv(65_536), b"")).decode()


def servers(stats: Path) -> dict[str, tuple[str, ...]]:
    """Name -> address, port, weight, whether in maintenance, check port."""
    rows = [line.split() for line in ask(stats, "show servers state").splitlines()[2:] if line.strip()]
    return {row[3]: (row[4], row[18], row[7], str(int(row[6]) & 1), row[21]) for row in rows}
