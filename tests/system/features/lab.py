"""
A real amphora among hosts of their own, each in a namespace: clients on the public network and far away, members on tenants'.

The fabric's namespace is the router between public and far; tenants' networks lead nowhere else.
"""

import contextlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_shared.events.network import Port
from actium_shared.ids import MemberId, PortId, SubnetId
from actium_shared.wishes import Listener, LoadBalancerWish, Member, PoolWish, Vip
from builders import PUBLIC, TENANT, an_id, load_balancer, member, vip
from system.amphora_agent.controller import Authority
from system.amphora_agent.sandbox import VIP, Sandbox
from system.namespaces import inside, ip
from unit.compute.wishes import TENANT_PORT, VIP_PORT, order, port

VIP_6 = "2001:db8:1::10"
PUBLIC_6 = SubnetId(an_id("public-v6"))
TENANT_6 = SubnetId(an_id("tenant-v6"))
TENANT_6_PORT = PortId(an_id("tenant-v6-port"))
TIMEOUT_S = 2.0
SILENCE, REFUSED = "silence", "refused"
SILENT_S = 0.4
"""Who has not answered by then, a few processes away, will not; for those from whom no answer is expected."""


@dataclass
class Host:
    """A machine on one network."""

    namespace: str
    addresses: tuple[str, ...]

    def ask(
        self, address: str, port: int = 53, *, source: tuple[str, int] | None = None, timeout_s: float = TIMEOUT_S
    ) -> str:
        """Send one datagram from a new socket and give the answer's text."""
        with self.speaker(address, port, source=source) as link:
            link.settimeout(timeout_s)
            return said(link)

    def speaker(self, address: str, port: int = 53, *, source: tuple[str, int] | None = None) -> socket.socket:
        def make() -> socket.socket:
            link = socket.socket(_family(address), socket.SOCK_DGRAM)
            link.settimeout(TIMEOUT_S)
            if source:
                link.bind(source)
            link.connect((address, port))
            return link

        return inside(self.namespace, make)

    def get(self, address: str, port: int = 80, *, path: str = "/", timeout_s: float = TIMEOUT_S) -> str:
        """Ask a web server and give its answer's text."""
        plain = inside(self.namespace, lambda: socket.create_connection((address, port), timeout_s))
        connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
        connection.sock = plain
        try:
            connection.request("GET", path, headers={"connection": "close"})
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def said(link: socket.socket, text: bytes = b"hello") -> str:
    try:
        link.send(text)
        return link.recv(2048).decode()
    except TimeoutError:
        return SILENCE
    except ConnectionRefusedError:
        return REFUSED


class Echo:
    """A UDP server that answers with its name and whom it sees; stopped, its port is closed and the kernel says so."""

    def __init__(self, host: Host, name: str, port: int = 5353) -> None:
        self.host, self.name, self.port = host, name, port
        self.heard_at: set[str] = set()
        self.start()

    def start(self) -> None:
        self._links = [inside(self.host.namespace, partial(self._bound, address)) for address in self.host.addresses]
        self._threads = [threading.Thread(target=self._serve, args=(link,), daemon=True) for link in self._links]
        for thread in self._threads:
            thread.start()

    def _bound(self, address: str) -> socket.socket:
        link = socket.socket(_family(address), socket.SOCK_DGRAM)
        link.settimeout(0.1)
        link.bind((address, self.port))
        return link

    def _serve(self, link: socket.socket) -> None:
        while True:
            try:
                _, client = link.recvfrom(2048)
                self.heard_at.add(link.getsockname()[0])
                link.sendto(f"{self.name} {client[0]}".encode(), client)
            except TimeoutError:
                continue
            except OSError:
                return

    def stop(self) -> None:
        for link in self._links:
            link.close()
        for thread in self._threads:
            thread.join(5)


class Web:
    """A web server on one address that answers with its host's name and whom it sees; asked for /slow when it is `released`."""

    def __init__(self, name: str, host: Host, address: str, *, port: int = 8080) -> None:
        self.asked, self.released = threading.Semaphore(0), threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.release()
                if self.path == "/slow":
                    web.released.wait(TIMEOUT_S)
                body = f"{name} {self.client_address[0]} {self.headers.get('X-Forwarded-For', '-')}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        kind = type("Server", (ThreadingHTTPServer,), {"address_family": 10 if ":" in address else 2})
        self.name, self.address, self.port = name, address, port
        self._server = inside(host.namespace, partial(kind, (address, port), Handler))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def member(self) -> Member:
        subnet_id = TENANT_6 if ":" in self.address else TENANT
        member_id = MemberId(an_id(self.name))
        return member(id=member_id, address=self.address, protocol_port=self.port, subnet_id=subnet_id)


@dataclass
class Lab:
    sandbox: Sandbox
    number: int = 0
    hosts: dict[str, Host] = field(default_factory=dict)
    ports: Mapping[PortId, Port] = field(default_factory=dict)
    result: str = ""

    def host(self, name: str, network: str, *addresses: str, gateways: tuple[str, ...] = ()) -> Host:
        """A machine with these addresses (each with its prefix) on a network of the fabric."""
        namespace = f"{name}-{self.sandbox.amphora_id}"
        end = f"{name}-end"
        ip("netns", "add", namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", self.sandbox.fabric, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("-n", self.sandbox.fabric, "link", "set", end, "master", network, "up")
        for address in addresses:
            ip("-n", namespace, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        ip("-n", namespace, "link", "set", "eth0", "up")
        for gateway in gateways:
            ip("-n", namespace, "route", "add", "default", "via", gateway)
        self.hosts[name] = Host(namespace, tuple(address.partition("/")[0] for address in addresses))
        return self.hosts[name]

    def apply(
        self,
        *listeners: Listener,
        pools: tuple[PoolWish, ...] = (),
        vips: tuple[Vip, ...] = (),
        member_ports: Mapping[SubnetId, PortId] | None = None,
        **balancer: Any,
    ) -> str:
        """Have the amphora serve this; give how it got there: unchanged, runtime or reload."""
        self.number += 1
        first, *others = vips or (vip(address=VIP),)
        wish = LoadBalancerWish(
            generation=self.number,
            load_balancer=load_balancer(vip=first, additional_vips=tuple(others), **balancer),
            listeners=listeners,
            pools=pools,
        )
        plugged = {TENANT: TENANT_PORT} if member_ports is None else member_ports
        wanted = order(bundle=self.number, load_balancers=(wish,), member_ports=plugged)
        bundle = HaproxyDriver().render(wanted, self.ports, {})
        answer = self.sandbox.controller.ask("PUT", "/v1/configuration", bundle.to_body())
        assert answer.status == 200, answer.body
        self.result = str(answer.body["result"])
        return self.result

    def link(self, host: str, state: str) -> None:
        """Pull a host's cable, or plug it in again."""
        ip("-n", self.sandbox.fabric, "link", "set", f"{host}-end", state)

    def kill_agent(self) -> None:
        for pid in self.sandbox.pids("actium_amphora_agent"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def listener_figures(self, listener_id: str) -> dict[str, Any]:
        found = self.sandbox.controller.ask("GET", "/v1/statistics").body["listeners"]
        return dict(found[listener_id])

    def members(self, pool_id: str) -> dict[str, str]:
        found = self.sandbox.controller.ask("GET", "/v1/statistics").body["pools"]
        return dict(found[pool_id]["members"])


def the_member(echo: Echo, subnet_id: SubnetId | None = TENANT, *, address: str = "", **fields: Any) -> Member:
    given = {"id": MemberId(an_id(echo.name)), "address": address or echo.host.addresses[0], "protocol_port": echo.port}
    return member(**(given | {"subnet_id": subnet_id} | fields))


def vip_6() -> Vip:
    return vip(address=VIP_6, prefix_length=64, subnet_id=PUBLIC_6, gateway="2001:db8:1::1")


@contextlib.contextmanager
def a_lab(folder: Path, image: Path) -> Iterator[Lab]:
    """One amphora with its networks; `client` is on the public one, `far` beyond the router in the members' own range."""
    sandbox = Sandbox(folder, image, Authority())
    lab = Lab(sandbox)
    try:
        _build(lab)
        sandbox.start()
        yield lab
    finally:
        sandbox.destroy()
        for host in lab.hosts.values():
            ip("netns", "del", host.namespace)
        print(sandbox.log())


def _build(lab: Lab) -> None:
    sandbox = lab.sandbox
    ip("-n", sandbox.fabric, "addr", "add", "2001:db8:1::1/64", "dev", "public", "nodad")
    sandbox.network("far", "10.1.0.129/25")
    sandbox.network("tenant")
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        inside(sandbox.fabric, partial(Path(f"/proc/sys/net/{name}").write_text, "1"))
    lab.host("client", "public", "203.0.113.60/24", "2001:db8:1::60/64", gateways=("203.0.113.1", "2001:db8:1::1"))
    lab.host("far", "far", "10.1.0.200/25", gateways=("10.1.0.129",))
    for index in (11, 12, 13):
        lab.host(f"m{index}", "tenant", f"10.1.0.{index}/24", f"fd00:1::{index}/64")
    cards: dict[PortId, dict[str, Any]] = {
        VIP_PORT: {"subnet": PUBLIC, "address": "203.0.113.20", "gateway": "203.0.113.1"},
        TENANT_PORT: {"subnet": TENANT, "address": "10.1.0.5"},
        TENANT_6_PORT: {"subnet": TENANT_6, "address": "fd00:1::5", "prefix_length": 64},
    }
    networks = {VIP_PORT: "public", TENANT_PORT: "tenant", TENANT_6_PORT: "tenant"}
    lab.ports = {
        port_id: port(port_id, mac=sandbox.plug(networks[port_id]), **fields) for port_id, fields in cards.items()
    }


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
