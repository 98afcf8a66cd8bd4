"""What the driver writes, read by a real haproxy: it takes every file, and runtime commands lead where the file leads."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.amphora_drivers.haproxy.render import LOG_SOCKET, STATE_FILE, STATS_SOCKET
from actium_compute.amphora_drivers.haproxy.tls import PLACE
from actium_compute.amphora_drivers.haproxy.translate import HEADERS, TLS_HEADERS
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import L7PolicyId, L7RuleId, ListenerId, MemberId, PoolId, SecretRef
from actium_shared.wishes import (
    HealthMonitor,
    L7Policy,
    L7PolicyWish,
    L7Rule,
    Listener,
    Member,
    PoolWish,
    SessionPersistence,
)
from builders import an_id, health_monitor, listener, member, pool, vip
from certificates import issue, root, server
from unit.compute.wishes import PORTS, order

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")
DRIVER = HaproxyDriver()
START_TIMEOUT_S = 10.0
PEM, OTHER_PEM, CA, CRL = (SecretRef(name) for name in ("pem", "other", "ca", "crl"))
AUTHORITY, ONE, OTHER = root(), server("one.example.com"), server("other.example.com")
SECRETS = {
    ref: Secret(certificate_pem=one.pem, private_key_pem=one.key_pem, intermediates_pem=one.intermediates_pem)
    for ref, one in ((PEM, ONE), (OTHER_PEM, OTHER))
} | {CA: Secret(ca_pem=AUTHORITY.pem), CRL: Secret(crl_pem=AUTHORITY.crl([issue("bad", AUTHORITY)]))}

MONITORS = st.none() | st.builds(
    health_monitor,
    type=st.sampled_from(["HTTP", "TCP", "HTTPS", "TLS-HELLO", "PING"]),
    delay_s=st.integers(0, 2**40),
    timeout_s=st.integers(0, 2**40),
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
COOKIES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=",;\\"), min_size=1, max_size=20
)


TLS = st.fixed_dictionaries(
    {
        "tls_ciphers": st.none()
        | st.sampled_from(["ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256", "HIGH:!aNULL"]),
        "tls_versions": st.lists(st.sampled_from(["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]), unique=True)
        .filter(lambda versions: versions != ["SSLv3"])
        .map(tuple),
        "alpn_protocols": st.lists(st.sampled_from(["h2", "http/1.1", "http/1.0"]), unique=True).map(tuple),
    }
)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF).filter(str.isprintable), min_size=1, max_size=40)
TOKENS = st.text(st.sampled_from("aZ0!#$%&'*+.^_`|~-"), min_size=1, max_size=20)
RULES = st.builds(
    L7Rule,
    id=st.uuids().map(lambda value: L7RuleId(str(value))),
    type=st.sampled_from(["HOST_NAME", "PATH", "FILE_TYPE", "HEADER", "COOKIE"]),
    compare_type=st.sampled_from(["EQUAL_TO", "STARTS_WITH", "ENDS_WITH", "CONTAINS"]),
    key=TOKENS,
    value=TEXT,
    invert=st.booleans(),
) | st.builds(
    L7Rule,
    id=st.uuids().map(lambda value: L7RuleId(str(value))),
    type=st.sampled_from(["PATH", "FILE_TYPE", "HEADER"]),
    compare_type=st.just("REGEX"),
    key=TOKENS,
    value=st.sampled_from(["^/a.*'$", "jpe?g|png", r"^[^\s{}]+\.\d$", "a b"]),
)
URLS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80).map(
    lambda t: "https://" + t
)
ACTIONS = st.sampled_from(["REJECT", "REDIRECT_TO_URL", "REDIRECT_PREFIX", "REDIRECT_TO_POOL"])


@st.composite
def pools(draw: st.DrawFn, *, protocol: str) -> PoolWish:
    kind = draw(PERSISTENCES)
    if protocol != "HTTP" and kind != "SOURCE_IP":
        kind = None
    persistence = SessionPersistence(
        type=kind, cookie_name=draw(COOKIES), persistence_timeout_s=draw(st.none() | st.integers(1, 9999))
    ) if kind else None  # fmt: skip
    ca = draw(st.sampled_from([None, CA]))
    the_pool = pool(
        id=PoolId(str(draw(st.uuids()))),
        protocol=draw(st.sampled_from([protocol, "PROXY", "PROXYV2"])),
        lb_algorithm=draw(st.sampled_from(["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"])),
        session_persistence=persistence,
        tls_enabled=draw(st.booleans()),
        tls_container_ref=draw(st.sampled_from([None, PEM])),
        ca_tls_container_ref=ca,
        crl_container_ref=draw(st.sampled_from([None, CRL])) if ca else None,
        **draw(TLS),
    )
    members = draw(st.lists(MEMBERS, max_size=4, unique_by=lambda one: one.id))
    return PoolWish(pool=the_pool, members=tuple(members), health_monitor=draw(MONITORS))


@st.composite
def policies(draw: st.DrawFn, the_listener: ListenerId, pool_id: PoolId | None) -> tuple[L7PolicyWish, ...]:
    actions = draw(st.lists(ACTIONS, max_size=4))
    return tuple(
        L7PolicyWish(
            policy=L7Policy(
                id=L7PolicyId(str(draw(st.uuids()))),
                listener_id=the_listener,
                action=action,
                position=position,
                admin_state_up=draw(st.booleans()),
                redirect_url=draw(URLS) if action == "REDIRECT_TO_URL" else None,
                redirect_prefix=draw(URLS) if action == "REDIRECT_PREFIX" else None,
                redirect_pool_id=pool_id if action == "REDIRECT_TO_POOL" else None,
                redirect_http_code=draw(st.sampled_from([None, 301, 308])),
            ),
            rules=tuple(draw(st.lists(RULES, max_size=3))),
        )
        for position, action in enumerate(actions, 1)
    )


@dataclass(frozen=True)
class Served:
    listener: Listener
    pool: PoolWish | None
    policies: tuple[L7PolicyWish, ...]


@st.composite
def served(draw: st.DrawFn) -> Served:
    protocol = draw(st.sampled_from(["HTTP", "TCP", "HTTPS", "TERMINATED_HTTPS", "PROMETHEUS"]))
    is_read, is_terminated = protocol in ("HTTP", "TERMINATED_HTTPS"), protocol == "TERMINATED_HTTPS"
    the_pool = None if protocol == "PROMETHEUS" else draw(st.none() | pools(protocol="HTTP" if is_read else protocol))
    headers = st.dictionaries(
        st.sampled_from([*(HEADERS | TLS_HEADERS if is_terminated else HEADERS), "X-Forwarded-For"]),
        st.just("true"),
    )
    authentication = draw(st.sampled_from(["NONE", "OPTIONAL", "MANDATORY"]))
    the_listener = listener(
        id=ListenerId(str(draw(st.uuids()))),
        protocol=protocol,
        protocol_port=draw(st.integers(1, 65_535)),
        default_pool_id=the_pool.pool.id if the_pool else None,
        connection_limit=draw(st.integers(-1, 100_000)),
        timeout_client_data_ms=draw(st.integers(0, 31_536_000_000)),
        timeout_member_connect_ms=draw(st.integers(1, 31_536_000_000)),
        timeout_tcp_inspect_ms=draw(st.integers(0, 10_000)),
        insert_headers=draw(headers) if is_read else {},
        allowed_cidrs=tuple(draw(st.lists(st.ip_addresses().map(str), max_size=3))),
        default_tls_container_ref=PEM if is_terminated else None,
        sni_container_refs=draw(st.sampled_from([(), (PEM,), (OTHER_PEM,)])) if is_terminated else (),
        client_authentication=authentication if is_terminated else "NONE",
        client_ca_tls_container_ref=CA,
        client_crl_container_ref=draw(st.sampled_from([None, CRL])),
        hsts_max_age_s=draw(st.none() | st.integers(0, 2**40)) if is_terminated else None,
        **draw(TLS),
    )
    of_it = policies(the_listener.id, the_pool.pool.id if the_pool else None)
    return Served(the_listener, the_pool, draw(of_it) if is_read else ())


@given(st.lists(served(), min_size=1, max_size=3, unique_by=lambda one: one.listener.protocol_port))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_haproxy_takes_every_configuration_that_the_driver_writes(everything: list[Served]) -> None:
    wish = order(
        *(one.pool for one in everything if one.pool),
        listeners=tuple(one.listener for one in everything),
        policies=tuple(policy for one in everything for policy in one.policies),
    )
    files = DRIVER.render(wish, PORTS, SECRETS).files
    with tempfile.TemporaryDirectory() as folder:
        states = Path(folder) / "states"
        states.write_bytes(b"1\n")  # the agent has always one, and haproxy warns where there is none
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        content = files["haproxy.cfg"].replace(STATE_FILE.encode(), str(states).encode())
        checked = haproxy_check(content.replace(PLACE.encode(), folder.encode()))
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
    content = DRIVER.render(wish, PORTS, {}).files["haproxy.cfg"].decode()
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
