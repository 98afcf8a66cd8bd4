"""The whole system, from the API to the packet: a load balancer with an IPv4 and an IPv6 address, for HTTP and for UDP."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from actium_embedded.world import World
from actium_shared.embedded import namespaces
from system.worlds import Tenant, await_value

ECHO_PORT = 5353


@contextmanager
def echo(namespace: str, name: str) -> Iterator[None]:
    """Answer every datagram that arrives in the namespace, over IPv4 or IPv6, with the name."""
    with namespaces.entered(namespace):
        link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    link.settimeout(0.1)
    link.bind(("::", ECHO_PORT))
    done = threading.Event()

    def answer() -> None:
        while not done.is_set():
            try:
                _, client = link.recvfrom(2048)
                link.sendto(name.encode(), client)
            except TimeoutError:
                continue

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        link.close()


def ask(address: str, *, host: str) -> str:
    """Send one datagram from the host's own address on the public network."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(1)
        link.bind((host, 0))
        try:
            link.connect((address, ECHO_PORT))
            link.send(b"who?")
            return link.recv(100).decode()
        except OSError:
            return "-"


def get(address: str) -> str:
    shown = f"[{address}]" if ":" in address else address
    try:
        return httpx.get(f"http://{shown}/", timeout=2, trust_env=False).text.strip()
    except httpx.TransportError:
        return "-"


def test_two_addresses_serve_http_and_udp_to_members_of_either_family(
    facts: World, tenant: Tenant, subnets: dict[str, str], backends: dict[str, str]
) -> None:
    network = facts.network("tenant-a")
    one, one_v6 = backends["one"], str(network.ipv6_beside(backends["one"]))
    wanted = [{"subnet_id": subnets["public-v6"]}]
    lb = tenant.create("loadbalancer", vip_subnet_id=subnets["public"], additional_vips=wanted, name="dual")
    (second,) = lb["additional_vips"]
    vips = [lb["vip_address"], second["ip_address"]]
    assert second["subnet_id"] == subnets["public-v6"]

    def balanced(protocol: str, port: int, member_port: int, **monitor: object) -> str:
        pool = tenant.create("pool", loadbalancer_id=lb["id"], protocol=protocol, lb_algorithm="ROUND_ROBIN")
        values = {"loadbalancer_id": lb["id"], "protocol": protocol, "protocol_port": port}
        tenant.create("listener", default_pool_id=pool["id"], **values)
        for address, subnet in ((one, "tenant-a"), (one_v6, "tenant-a-v6")):
            values = {"address": address, "protocol_port": member_port, "subnet_id": subnets[subnet]}
            tenant.create("member", pool_id=pool["id"], **values)
        values = {"delay": 3, "timeout": 1, "max_retries": 1, "max_retries_down": 1} | monitor
        tenant.create("healthmonitor", pool_id=pool["id"], **values)
        return str(pool["id"])

    def statuses(pool_id: str) -> set[str]:
        return {row["operating_status"] for row in tenant.request("GET", f"/pools/{pool_id}/members")["members"]}

    web = balanced("HTTP", 80, 80, type="HTTP")
    datagrams = balanced("UDP", ECHO_PORT, ECHO_PORT, type="UDP-CONNECT")
    with echo(facts.backend_namespace("one"), "echo"):
        tenant.wait(lb["id"])
        for vip in vips:
            await_value(lambda vip=vip: [get(vip) for _ in range(2)], lambda names: names == ["one", "one"], 10)
        public = facts.network("public")
        assert public.host
        assert public.ipv6
        assert public.ipv6.host
        hosts = (public.host, public.ipv6.host)
        for vip, host in zip(vips, hosts, strict=True):
            await_value(lambda vip=vip, host=host: ask(vip, host=host), lambda name: name == "echo", 10)
        await_value(lambda: statuses(web) | statuses(datagrams), lambda found: found == {"ONLINE"}, 20)
    await_value(lambda: statuses(datagrams), lambda found: found == {"ERROR"}, 20)
    assert statuses(web) == {"ONLINE"}
    figures = f"/loadbalancers/{lb['id']}/stats"
    await_value(lambda: tenant.request("GET", figures)["stats"]["total_connections"], lambda count: count >= 4, 10)
