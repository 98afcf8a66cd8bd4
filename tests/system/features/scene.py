"""
One real amphora (init, agent, haproxy, in namespaces of its own) that is configured as compute does it: a wish, through the
driver, to the agent. Clients and servers stand in the network beside it.
"""

import http.client
import json
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from actium_compute.amphora_drivers.bundle import Runtime
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import L7PolicyId, L7RuleId, ListenerId, MemberId, PoolId, PortId, SecretRef
from actium_shared.wishes import L7Policy, L7PolicyWish, L7Rule, Listener, LoadBalancerWish, Member, PoolWish
from builders import PUBLIC, an_id, listener, load_balancer, member, pool, vip
from certificates import Issued
from system.amphora_agent.controller import Authority
from system.amphora_agent.sandbox import VIP, Sandbox
from system.features.origin import Origin
from system.namespaces import eventually, inside, ip
from unit.compute.wishes import VIP_PORT, order, port

TIMEOUT_S = 5.0
CLIENT = "203.0.113.1"
OTHER_CLIENTS = [f"203.0.113.{number}" for number in range(60, 80)]
FIRST_PORT = 8001


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str
    version: str = ""
    cipher: str = ""

    @property
    def arrived(self) -> dict[str, Any]:
        """What the server says that arrived there."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def server(self) -> str:
        return str(self.arrived["server"]) if self.status == 200 else str(self.status)


class Scene:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.driver = HaproxyDriver()
        self.results: list[str] = []
        self._number = 0
        self._in_force: tuple[ConfigureAmphora, str] | None = None
        self._origins: list[Origin] = []
        mac = sandbox.plug("public")
        vip_port = port(VIP_PORT, PUBLIC, "203.0.113.20", gateway="203.0.113.1", mac=mac)
        self._ports: Mapping[PortId, Port] = {VIP_PORT: vip_port}

    # ---- what is balanced

    def origin(self, name: str, **fields: Any) -> Origin:
        made = Origin(self.sandbox.fabric, name, FIRST_PORT + len(self._origins), **fields)
        self._origins.append(made)
        return made

    def clear(self) -> None:
        """Stop what one test has started; the amphora keeps its configuration until the next one's."""
        while self._origins:
            self._origins.pop().stop()

    # ---- the wish

    def apply(
        self,
        *listeners: Listener,
        pools: tuple[PoolWish, ...] = (),
        policies: tuple[L7PolicyWish, ...] = (),
        secrets: Mapping[SecretRef, Secret] | None = None,
        **balancer: Any,
    ) -> str:
        """Have the amphora serve this; give how it got there: unchanged, runtime or reload."""
        self._number += 1
        wish = LoadBalancerWish(
            generation=self._number,
            load_balancer=load_balancer(vip=vip(address=VIP), **balancer),
            listeners=listeners,
            pools=pools,
            l7_policies=policies,
        )
        wanted = order(bundle=self._number, load_balancers=(wish,), member_ports={})
        answer = self.sandbox.controller.ask("PUT", "/v1/configuration", self._rendered(wanted, secrets or {}))
        assert answer.status == 200, answer.body
        self._in_force = (wanted, answer.body["digest"])
        result = str(answer.body["result"])
        self.results.append(result)
        return result

    def _rendered(self, wanted: ConfigureAmphora, secrets: Mapping[SecretRef, Secret]) -> bytes:
        assert self.driver.secrets_of(wanted) == secrets.keys()
        bundle = self.driver.render(wanted, self._ports, secrets)
        if self._in_force:
            before, digest = self._in_force
            commands = self.driver.runtime_commands(before, wanted, self._ports)
            if commands:
                bundle = msgspec.structs.replace(bundle, runtime=Runtime(base=digest, commands=commands))
        return bundle.to_body()

    # ---- clients

    def connect(self, *, to_port: int = 80, source: str = CLIENT, source_port: int = 0) -> socket.socket:
        def make() -> socket.socket:
            link = socket.socket()
            link.settimeout(TIMEOUT_S)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if source_port:
                # A reset instead of a farewell: the same port can be used again at once.
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.bind((source, source_port))
            link.connect((VIP, to_port))
            return link

        return inside(self.sandbox.fabric, make)

    def get(
        self,
        path: str = "/",
        *,
        to_port: int = 80,
        source: str = CLIENT,
        source_port: int = 0,
        tls: ssl.SSLContext | None = None,
        name: str = "www.example.com",
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own. An underscore in a header's name stands for a hyphen."""
        link: socket.socket = self.connect(to_port=to_port, source=source, source_port=source_port)
        try:
            if tls:
                link = tls.wrap_socket(link, server_hostname=name)
            spoken = _spoken(link)
            connection = http.client.HTTPConnection(VIP, to_port, timeout=TIMEOUT_S)
            connection.sock = link
            sent = {"Connection": "close"} | {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request("GET", path, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode(), *spoken)
        finally:
            link.close()

    def servers(self, count: int = 8, **words: Any) -> list[str]:
        """Who answered so many requests."""
        return [self.get(**words).server for _ in range(count)]

    def until_serving(self, *names: str, **words: Any) -> None:
        """Wait until exactly these servers get requests."""
        eventually(lambda: set(self.servers(2 * len(names) + 2, **words)) == set(names), deadline_s=15)


def _spoken(link: socket.socket) -> tuple[str, str]:
    if not isinstance(link, ssl.SSLSocket):
        return "", ""
    return str(link.version()), (link.cipher() or ("",))[0]


def a_listener(pool_wish: PoolWish | None = None, **fields: Any) -> Listener:
    return listener(default_pool_id=pool_wish.pool.id if pool_wish else None, **fields)


def a_pool(*members: Member, monitor: Any = None, name: str = "pool", **fields: Any) -> PoolWish:
    return PoolWish(pool=pool(id=PoolId(an_id(name)), **fields), members=members, health_monitor=monitor)


def a_member(origin: Origin, **fields: Any) -> Member:
    return member(id=MemberId(an_id(origin.name)), address=origin.address, protocol_port=origin.port, **fields)


def a_policy(position: int, action: str, *rules: L7Rule, **fields: Any) -> L7PolicyWish:
    policy = L7Policy(
        id=L7PolicyId(an_id(f"policy-{position}-{action}")),
        action=action,
        position=position,
        **({"listener_id": ListenerId(an_id("listener"))} | fields),
    )
    return L7PolicyWish(policy=policy, rules=rules)


def a_rule(kind: str, compare: str, value: str, **fields: Any) -> L7Rule:
    rule_id = L7RuleId(an_id(f"{kind} {compare} {value} {fields}"))
    return L7Rule(id=rule_id, type=kind, compare_type=compare, value=value, **fields)


def certificate_secret(issued: Issued) -> Secret:
    return Secret(
        certificate_pem=issued.pem, private_key_pem=issued.key_pem, intermediates_pem=issued.intermediates_pem
    )


@contextmanager
def a_sandbox(folder: Path, image: Path) -> Iterator[Sandbox]:
    """Give an amphora with clients beside it."""
    made = Sandbox(folder, image, Authority())
    try:
        for client in OTHER_CLIENTS:
            ip("-n", made.fabric, "addr", "add", f"{client}/24", "dev", "public")
        made.start()
        yield made
    finally:
        made.destroy()
        print(made.log())
