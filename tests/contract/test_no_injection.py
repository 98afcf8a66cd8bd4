"""
No text that anyone can send becomes a directive: from the body of a request through API and planner to what is rendered.

Every text of a full tree is made hostile in turn. What is accepted is rendered without complaint, has the lines and words
that a harmless tree has, and is taken by the real haproxy.
"""

import copy
import os
import shlex
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.amphora_drivers.haproxy.render import STATE_FILE
from actium_compute.amphora_drivers.haproxy.tls import PLACE
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora, Peer
from actium_shared.wishes import LoadBalancerWish
from builders import PUBLIC
from certificates import issue, root, server
from contract.memory_world import MemoryWorld
from unit.compute.test_pairs import PARTNER, PARTNER_PORT, THERE
from unit.compute.wishes import order

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")
DRIVER = HaproxyDriver()
LONG = "TESTS_LONG" in os.environ
AUTHORITY, SERVER = root(), server("one.example.com")
SECRET = Secret(
    certificate_pem=SERVER.pem,
    private_key_pem=SERVER.key_pem,
    intermediates_pem=SERVER.intermediates_pem,
    ca_pem=AUTHORITY.pem,
    crl_pem=AUTHORITY.crl([issue("bad", AUTHORITY)]),
)
TREES_AT_ONCE = 40
"""The real haproxy takes as long to start as to read many listeners."""

TLS = {"tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256", "alpn_protocols": ["h2"]}
RULES = [
    {"type": "HOST_NAME", "compare_type": "ENDS_WITH", "value": "a.example"},
    {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"},
    {"type": "PATH", "compare_type": "REGEX", "value": "^/a.*"},
    {"type": "FILE_TYPE", "compare_type": "EQUAL_TO", "value": "jpg"},
    {"type": "FILE_TYPE", "compare_type": "REGEX", "value": "jpe?g"},
    {"type": "HEADER", "compare_type": "CONTAINS", "key": "X-Kind", "value": "blue"},
    {"type": "HEADER", "compare_type": "REGEX", "key": "X-Kind", "value": "blue|red"},
    {"type": "COOKIE", "compare_type": "EQUAL_TO", "key": "kind", "value": "blue"},
    {"type": "SSL_DN_FIELD", "compare_type": "EQUAL_TO", "key": "CN", "value": "a"},
    {"type": "SSL_VERIFY_RESULT", "compare_type": "EQUAL_TO", "value": "0"},
]
TO_MEMBERS = {
    "tls_container_ref": "ref",
    "ca_tls_container_ref": "ref",
    "crl_container_ref": "ref",
    "tls_enabled": True,
}
MONITOR = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1, "http_version": 1.1, "domain_name": "a.example"}
READ = {
    "name": "read",
    "protocol": "HTTP",
    "lb_algorithm": "ROUND_ROBIN",
    "session_persistence": {"type": "APP_COOKIE", "cookie_name": "kind"},
    "healthmonitor": {**MONITOR, "name": "m", "url_path": "/", "expected_codes": "200", "http_method": "GET"},
    "members": [
        {"name": "m", "address": "10.1.0.10", "protocol_port": 80, "monitor_address": "10.1.0.11", "tags": ["t"]}
    ],
    "description": "d",
    **TO_MEMBERS,
    **TLS,
}
DATAGRAMS = {
    "name": "datagrams",
    "protocol": "UDP",
    "lb_algorithm": "SOURCE_IP",
    "session_persistence": {"type": "SOURCE_IP", "persistence_granularity": "255.255.0.0", "persistence_timeout": 60},
    "healthmonitor": {"type": "UDP-CONNECT", "delay": 3, "timeout": 1, "max_retries": 1},
    "members": [{"address": "10.1.0.10", "protocol_port": 53, "name": "m"}],
}
TERMINATED = {
    "name": "terminated",
    "description": "d",
    "protocol": "TERMINATED_HTTPS",
    "protocol_port": 443,
    "default_tls_container_ref": "ref",
    "sni_container_refs": ["sni"],
    "client_ca_tls_container_ref": "ref",
    "client_crl_container_ref": "ref",
    "client_authentication": "OPTIONAL",
    "insert_headers": {"X-Forwarded-For": "true", "X-SSL-Client-DN": "true"},
    "allowed_cidrs": ["203.0.113.0/24"],
    "hsts_max_age": 60,
    "default_pool": {"name": "read"},
    "l7policies": [
        {"action": "REDIRECT_TO_URL", "redirect_url": "http://a.example/b", "rules": RULES, "name": "p"},
        {"action": "REDIRECT_PREFIX", "redirect_prefix": "http://a.example", "rules": RULES[:1], "tags": ["t"]},
    ],
    **TLS,
}
DATAGRAM = {"protocol": "UDP", "protocol_port": 53, "default_pool": {"name": "datagrams"}, "name": "u"}
TREE: dict[str, Any] = {
    "name": "lb",
    "description": "d",
    "vip_subnet_id": PUBLIC,
    "tags": ["t"],
    "listeners": [TERMINATED, DATAGRAM, {"protocol": "TCP", "protocol_port": 81, "name": "t"}],
    "pools": [READ, DATAGRAMS],
}

PIECES = [
    *("\n", "\r", "\t", "\0", "\x0b", "\x0c", "\x1b", "\x1c", "\x7f", "\x85", "\xa0", "\u2028", "\u200b", "\ufeff"),
    *("\\", "\\n", "\\\\", "'", '"', "`", "#", "%", "%%", "%[src]", "%ci", "$", "${HOME}", '"${HOME}"', "--", " -f /etc/passwd"),
    *(" ", ",", ";", ":", "/", "?", "=", "@", "!", "|", "&", "*", "+", "^", "~", "<", ">", "(", ")", "[", "]", "{", "}", "()"),
    *("\n    acl x always_true", " http-request deny", "\nglobal\n", "; drop", "} table inet x {", " if TRUE", "!ALL", ":aNULL"),
    *("a", "Z", "0", "999", "-1", "é", "😀", ".example", "true", "(?a:x)", "\\u0041", "\\d", "(*UTF)", "x{70000}", "[[:no:]]"),
]  # fmt: skip
Place = tuple[str | int, ...]


def texts(value: object, place: Place = ()) -> Iterator[Place]:
    """Give the places of all texts."""
    match value:
        case str():
            yield place
        case dict():
            for name, inner in value.items():
                yield from texts(inner, (*place, name))
        case list():
            for number, inner in enumerate(value):
                yield from texts(inner, (*place, number))


PLACES = sorted(texts(TREE), key=str)


@st.composite
def trees(draw: st.DrawFn) -> tuple[Place, dict[str, Any]]:
    """Give a tree with one hostile text in it, and where that is."""
    place = draw(st.sampled_from(PLACES))
    tree = copy.deepcopy(TREE)
    harmless = held(tree, place)
    hostile = "".join(draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4)))
    around = draw(st.sampled_from(["before", "after", "both", "instead"]))
    before, after = (
        (harmless if around in ("before", "both") else ""),
        (harmless if around in ("after", "both") else ""),
    )
    put(tree, place, before + hostile + after)
    return place, tree


def held(tree: Any, place: Place) -> Any:
    for step in place:
        tree = tree[step]
    return tree


def put(tree: Any, place: Place, text: str) -> None:
    held(tree, place[:-1])[place[-1]] = text


@pytest.fixture(scope="module")
def world() -> Iterator[MemoryWorld]:
    with MemoryWorld() as made:
        yield made


@pytest.fixture(scope="module")
def harmless(world: MemoryWorld) -> dict[str, Counter[tuple[str, ...]]]:
    response = world.request("POST", "/loadbalancers", json={"loadbalancer": TREE})
    assert response.status_code == 201, response.text
    return shape(rendered(world.wish(response.json()["loadbalancer"]["id"])))


def rendered(*wishes: LoadBalancerWish) -> Mapping[str, bytes]:
    """Give the files of one of a pair, which has all kinds of them."""
    peers = (Peer(amphora_id=PARTNER, vip_port_id=PARTNER_PORT),)
    wish: ConfigureAmphora = order(load_balancers=wishes, role="MASTER", peers=peers)
    return DRIVER.render(wish, THERE, dict.fromkeys(DRIVER.secrets_of(wish), SECRET)).files


def shape(files: Mapping[str, bytes]) -> dict[str, Counter[tuple[str, ...]]]:
    """Give what is said in each file, without the values: the first word of each line and how many words there are."""
    found = {"haproxy.cfg": Counter(_line(line) for line in files["haproxy.cfg"].decode().split("\n") if line.strip())}
    rules = files["nftables.rules"].decode().split("\n")
    found["nftables.rules"] = Counter((*line.split()[:2], str(len(line.split()))) for line in rules if line.strip())
    vrrp = [line.split() for line in files["keepalived.conf"].decode().split("\n") if line.strip()]
    # What begins with a number is an address: the VIP, by itself.
    found["keepalived.conf"] = Counter(("#" if words[0][0].isdigit() else words[0], str(len(words))) for words in vrrp)
    found["checks.json"] = Counter([(str(len(files["checks.json"].decode().split("\n"))),)])
    return found


def _line(line: str) -> tuple[str, ...]:
    words = shlex.split(line)
    if words[0] in ("bind", "server"):
        return (words[0],)  # ciphers are two or four of their words
    return words[0], str(len(words))


@given(st.lists(trees(), min_size=TREES_AT_ONCE, max_size=TREES_AT_ONCE))
@settings(
    max_examples=200 if LONG else 8,
    deadline=None,
    derandomize=not LONG,
    phases=(
        Phase.explicit,
        Phase.generate,
    ),  # the message names the place; a smaller tree says no more, and takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
def test_no_text_adds_a_directive_and_what_is_accepted_is_served(
    world: MemoryWorld, harmless: dict[str, Counter[tuple[str, ...]]], hostile: list[tuple[Place, dict[str, Any]]]
) -> None:
    accepted = []
    for place, tree in hostile:
        response = world.request("POST", "/loadbalancers", json={"loadbalancer": tree})
        if not response.is_success:
            unreadable = "regular expression is none that amphorae can read" in response.text
            assert response.status_code == (501 if unreadable else 400), (place, response.text)
            continue
        wish = world.wish(response.json()["loadbalancer"]["id"])
        added, missing = differences(shape(rendered(wish)), harmless)
        assert not added, (place, added)
        assert not missing or "insert_headers" in place, (place, missing)
        accepted.append(wish)
    if accepted:
        check_with_haproxy(rendered(*accepted))


EXPRESSION: Place = ("listeners", 0, "l7policies", 0, "rules", 2, "value")
CIPHERS: Place = ("listeners", 0, "tls_ciphers")
CODES: Place = ("pools", 0, "healthmonitor", "expected_codes")
COOKIE: Place = ("pools", 0, "session_persistence", "cookie_name")
URL: Place = ("listeners", 0, "l7policies", 0, "redirect_url")


@pytest.mark.parametrize(
    ("place", "text", "status"),
    [
        (EXPRESSION, "(?a:x)", 501),
        (EXPRESSION, "[[:no:]]", 501),
        (EXPRESSION, "a\xa0b", 400),
        (CIPHERS, "!ALL", 400),
        (CIPHERS, "TLS_NONE", 400),
        (CIPHERS, "x:y", 400),
        (CODES, "300-200", 400),
        (COOKIE, "sécurité", 400),
    ],
)
def test_what_only_haproxy_would_refuse_is_refused_before(
    world: MemoryWorld, place: Place, text: str, status: int
) -> None:
    response = post(world, place, text)
    assert response.status_code == status, response.text
    assert str(place[-1]) in response.json()["faultstring"]


def test_what_haproxy_can_say_is_not_refused_though_it_looks_odd(world: MemoryWorld) -> None:
    right = [(COOKIE, "cart[id]"), (COOKIE, 'a"(b)'), (COOKIE, "x%{y}#'=/")]
    right += [(CODES, "999"), (CODES, "200 , 302"), (CODES, "200-200")]
    right += [(EXPRESSION, "a b|\\d{2}\"'"), (URL, "http://a.example/%20?a=%[src]"), (CIPHERS, "x:AES128-SHA:TLS_NONE")]
    replies = [post(world, place, text) for place, text in right]
    assert [reply.status_code for reply in replies] == [201] * len(right)
    files = rendered(*(world.wish(reply.json()["loadbalancer"]["id"]) for reply in replies))
    assert b"'http://a.example/%%20?a=%%[src]'" in files["haproxy.cfg"]
    check_with_haproxy(files)


def post(world: MemoryWorld, place: Place, text: str) -> httpx.Response:
    tree = copy.deepcopy(TREE)
    put(tree, place, text)
    return world.request("POST", "/loadbalancers", json={"loadbalancer": tree})


def differences(
    found: dict[str, Counter[tuple[str, ...]]], expected: dict[str, Counter[tuple[str, ...]]]
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    added = [line for name in expected for line in (found[name] - expected[name]).elements()]
    return added, [line for name in expected for line in (expected[name] - found[name]).elements()]


def check_with_haproxy(files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        states = Path(folder) / "states"
        states.write_bytes(b"1\n")  # the agent has always one, and haproxy warns where there is none
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        content = files["haproxy.cfg"].replace(STATE_FILE.encode(), str(states).encode())
        content = content.replace(PLACE.encode(), folder.encode())
        done = subprocess.run(["haproxy", "-c", "-f", "/dev/stdin"], input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"WARNING" not in done.stderr, done.stderr.decode()
