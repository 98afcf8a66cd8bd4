"""
The whole system, from the API to the packet: one load balancer that has of all fields one, made in one call.

What each field does in all its varieties is shown in `system/features`; here, that it arrives at all.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from actium_api.cli.app import app as commands
from actium_embedded.environment import operator_variables
from actium_embedded.world import World
from certificates import Issued, issue, root, server
from system.features.origin import Origin
from system.worlds import Tenant, await_value

HOSTS = ("www.example.com", "shop.example.com")
WWW, SHOP = (server(name) for name in HOSTS)
CLIENTS, OURS, MEMBERS = root("Clients' root"), root("Balancers' root"), root("Members' root")
ALICE, BOB, MALLORY = (issue(name, CLIENTS) for name in ("alice", "bob", "mallory"))
STRANGER = issue("stranger", root("Nobody's root"))
BALANCER = issue("balancer", OURS)
GOOD, REVOKED, IMPOSTOR = (
    issue("member", authority, names=HOSTS) for authority in (MEMBERS, MEMBERS, root("Another root"))
)
"""For the hosts that are asked for, each: only who issued them, and what became of them, makes a difference."""

SECRETS: Mapping[str, Mapping[str, bytes]] = {
    "www": {"pkcs12": WWW.pkcs12()},
    "shop": {"certificate": SHOP.pem, "key": SHOP.key_pem, "intermediates": SHOP.intermediates_pem},
    "clients": {"ca": CLIENTS.pem},
    "clients-revoked": {"crl": CLIENTS.crl([MALLORY])},
    "balancer": {"certificate": BALANCER.pem + BALANCER.key_pem},
    "members": {"ca": MEMBERS.pem},
    "members-revoked": {"crl": MEMBERS.crl([REVOKED])},
}
FIRST_PORT = 8001
PROXIED = "proxied.example.com"
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def arrived(self) -> dict[str, Any]:
        """What the server says that arrived there."""
        assert self.status == 200, self.text
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """Sends from the host's own address on the public network, a connection a request."""

    vip: str
    host: str

    def get(
        self,
        path: str = "/",
        *,
        tls: ssl.SSLContext | None = None,
        name: str = "www.example.com",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        port = 443 if tls else 80
        link: socket.socket = socket.create_connection((self.vip, port), TIMEOUT_S, source_address=(self.host, 0))
        try:
            if tls:
                link = tls.wrap_socket(link, server_hostname=name)
            connection = http.client.HTTPConnection(self.vip, port, timeout=TIMEOUT_S)
            connection.sock = link
            connection.request("GET", path, headers={"Host": name, "Connection": "close", **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            link.close()

    def is_let_in(self, tls: ssl.SSLContext) -> bool:
        try:
            return self.get(tls=tls).status == 200
        except (ssl.SSLError, ConnectionError):
            return False


def put_secrets(facts: World, folder: Path) -> dict[str, str]:
    """Have all of them kept, by the words of `actium secret put`, in this process; name -> reference."""

    def put(name: str) -> str:
        options = []
        for kind, content in SECRETS[name].items():
            path = folder / f"{name}.{kind}"
            path.write_bytes(content)
            options += [f"--{kind}", str(path)]
        done = CliRunner().invoke(commands, ["secret", "put", *options, "--name", name], env=operator_variables(facts))
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    return {name: put(name) for name in SECRETS}


@pytest.fixture(scope="module")
def origins(
    facts: World, backends: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Origin]]:
    """Name -> server; those that speak TLS want to see a certificate of ours."""
    folder = tmp_path_factory.mktemp("origins")
    speaking: dict[str, dict[str, Any]] = {
        "good": {"tls": _for_us_alone(GOOD, folder)},
        "revoked": {"tls": _for_us_alone(REVOKED, folder)},
        "impostor": {"tls": _for_us_alone(IMPOSTOR, folder)},
        "proxied": {"proxied": True},
        "first": {},
        "second": {},
    }
    where: dict[str, Any] = {"namespace": facts.backend_namespace("one"), "address": backends["one"]}
    made = {
        name: Origin(name=name, port=FIRST_PORT + at, **where, **more)
        for at, (name, more) in enumerate(speaking.items())
    }
    yield made
    for origin in made.values():
        origin.stop()


def _for_us_alone(issued: Issued, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_file(issued, folder))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=OURS.pem.decode())
    return context


def _file(issued: Issued, folder: Path) -> Path:
    path = folder / f"{issued.certificate.serial_number}.pem"
    path.write_bytes(issued.pem + issued.intermediates_pem + issued.key_pem)
    return path


def a_pool(name: str, *members: Origin, subnet_id: str, protocol: str = "HTTP", **fields: Any) -> dict[str, Any]:
    listed = [{"address": each.address, "protocol_port": each.port, "subnet_id": subnet_id} for each in members]
    return {"name": name, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": listed, **fields}


def a_policy(action: str, *rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"action": action, "rules": rules, **fields}


def a_rule(kind: str, compare: str, value: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "compare_type": compare, "value": value, **fields}


def a_tree(refs: dict[str, str], origins: dict[str, Origin], subnets: dict[str, str]) -> dict[str, Any]:
    return {
        "name": "whole",
        "vip_subnet_id": subnets["public"],
        "listeners": [_secure(refs, origins, subnets["tenant-a"]), _plain(origins, subnets["tenant-a"])],
    }


def _secure(refs: dict[str, str], origins: dict[str, Origin], subnet_id: str) -> dict[str, Any]:
    encrypted = a_pool(
        "encrypted",
        *(origins[name] for name in ("good", "revoked", "impostor")),
        subnet_id=subnet_id,
        tls_enabled=True,
        tls_container_ref=refs["balancer"],
        ca_tls_container_ref=refs["members"],
        crl_container_ref=refs["members-revoked"],
    )
    return {
        "name": "secure",
        "protocol": "TERMINATED_HTTPS",
        "protocol_port": 443,
        "default_tls_container_ref": refs["www"],
        "sni_container_refs": [refs["shop"]],
        "client_authentication": "MANDATORY",
        "client_ca_tls_container_ref": refs["clients"],
        "client_crl_container_ref": refs["clients-revoked"],
        "insert_headers": {"X-SSL-Client-CN": "true"},
        "hsts_max_age": 600,
        "default_pool": encrypted,
        "l7policies": [a_policy("REJECT", a_rule("SSL_DN_FIELD", "EQUAL_TO", "bob", key="CN"))],
    }


def _plain(origins: dict[str, Origin], subnet_id: str) -> dict[str, Any]:
    sessions = {"type": "APP_COOKIE", "cookie_name": "SESSION"}
    both = (origins["first"], origins["second"])
    proxied = a_pool("proxied", origins["proxied"], subnet_id=subnet_id, protocol="PROXYV2")
    robots = (a_rule("HEADER", "EQUAL_TO", "robot", key="X-Kind"), a_rule("PATH", "EQUAL_TO", "/map", invert=True))
    moved = {"redirect_url": "https://example.org/new", "redirect_http_code": 301}
    return {
        "name": "plain",
        "protocol": "HTTP",
        "protocol_port": 80,
        "default_pool": a_pool("sticky", *both, subnet_id=subnet_id, session_persistence=sessions),
        "l7policies": [
            a_policy("REDIRECT_TO_URL", a_rule("PATH", "EQUAL_TO", "/old"), **moved),
            a_policy("REDIRECT_PREFIX", a_rule("PATH", "STARTS_WITH", "/moved"), redirect_prefix="https://example.org"),
            a_policy("REJECT", *robots),
            a_policy("REDIRECT_TO_POOL", a_rule("HOST_NAME", "EQUAL_TO", PROXIED), redirect_pool=proxied),
        ],
    }


def test_each_field_of_a_tree_that_is_made_in_one_call_is_seen_by_clients_and_members(
    facts: World, tenant: Tenant, subnets: dict[str, str], origins: dict[str, Origin], tmp_path: Path
) -> None:
    tree = a_tree(put_secrets(facts, tmp_path), origins, subnets)
    made = tenant.create("loadbalancer", **tree)
    tenant.wait(made["id"])
    host = facts.network("public").host
    assert host
    client = Client(made["vip_address"], host)
    await_value(lambda: client.get("/old").status, lambda status: status == 301, 10)
    _check_clients_certificates(client, tmp_path)
    _check_members_certificates(client, origins, tmp_path)
    _check_policies(client)
    _check_sessions(client)


def _as_client(who: Issued | None, folder: Path, *, of: Issued = WWW) -> ssl.SSLContext:
    """Give a client that trusts in the root of `of`, and shows the certificate of `who`."""
    context = ssl.create_default_context(cadata=of.chain[-1].pem.decode())
    if who:
        context.load_cert_chain(_file(who, folder))
    return context


def _check_clients_certificates(client: Client, folder: Path) -> None:
    answer = client.get(tls=_as_client(ALICE, folder))
    assert answer.arrived["headers"]["x-ssl-client-cn"] == "alice"
    assert answer.headers["Strict-Transport-Security"] == "max-age=600"
    shop = client.get(tls=_as_client(ALICE, folder, of=SHOP), name="shop.example.com")
    assert shop.arrived["headers"]["host"] == "shop.example.com"
    assert [client.is_let_in(_as_client(who, folder)) for who in (ALICE, MALLORY, STRANGER, None)] == [
        True,
        *[False] * 3,
    ]
    assert client.get(tls=_as_client(BOB, folder)).status == 403


def _check_members_certificates(client: Client, origins: dict[str, Origin], folder: Path) -> None:
    """Each of three is tried, and the next where its certificate does not count."""
    answers = [client.get(tls=_as_client(ALICE, folder)).arrived for _ in range(4)]
    assert {(answer["server"], answer["tls"]["client"]) for answer in answers} == {("good", "balancer")}
    assert origins["revoked"].seen == origins["impostor"].seen == []


def _check_policies(client: Client) -> None:
    old, moved = client.get("/old"), client.get("/moved/far?away")
    assert (old.status, old.headers["Location"]) == (301, "https://example.org/new")
    assert (moved.status, moved.headers["Location"]) == (302, "https://example.org/moved/far?away")
    robot = {"X-Kind": "robot"}
    assert [client.get(path, headers=robot).status for path in ("/", "/map")] == [403, 200]
    proxied = client.get(name=PROXIED).arrived
    assert (proxied["server"], proxied["proxy"]) == ("proxied", f"v2 {client.host}")


def _check_sessions(client: Client) -> None:
    assert {client.get().arrived["server"] for _ in range(4)} == {"first", "second"}
    answer = client.get("/login")
    session = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    assert {client.get(headers=session).arrived["server"] for _ in range(4)} == {answer.arrived["server"]}
