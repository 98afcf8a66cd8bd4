"""
Small web back ends to try things out: each a namespace on one of the world's networks, with one web server in it.

The wish for a back end is a file; `down` ends back ends and keeps the files, and the next `up` starts them again.
"""

import os
import re
import subprocess
import sys
import time
from hashlib import sha256
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import msgspec

from actium_embedded import host
from actium_embedded import running as processes
from actium_embedded.errors import WorldError
from actium_embedded.files import write_atomically
from actium_embedded.running import Running
from actium_embedded.world import Network, World
from actium_shared.embedded import mac_of

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
SERVER = Path(__file__).with_name("backend_server.py")
FIRST_ADDRESS, LAST_ADDRESS = 10, 99
"""Places in a network that the pools for VIPs and ports leave free."""

END_PATIENCE_S = 2.0
LISTEN_WITHIN_S = 10.0
BRIDGE_WITHIN_S = 10.0
POLL_S = 0.02


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    network: str
    address: str
    port: int

    @property
    def process_name(self) -> str:
        return f"backend-{self.name}"

    @property
    def fabric_link(self) -> str:
        """Its cable's end at the fabric: a digest, as link names take 15 characters only."""
        return f"be{sha256(self.name.encode()).hexdigest()[:10]}"


def wished(world: World) -> tuple[Backend, ...]:
    files = sorted(world.backends.glob("*.json")) if world.backends.is_dir() else []
    return tuple(msgspec.json.decode(path.read_bytes(), type=Backend) for path in files)


def find(world: World, backend: Backend) -> Running | None:
    return processes.find(world, backend.process_name)


def start(world: World, name: str, *, network: str, port: int, address: str | None = None) -> Backend:
    """
    Have a back end of this name run; one that runs is returned as it is.

    Raises:
        WorldError: a value is wrong, or a back end of this name has another network, port or address.
    """
    same = next((backend for backend in wished(world) if backend.name == name), None)
    backend = same or choose(world, name, network=network, port=port, address=address)
    if (backend.network, backend.port) != (network, port) or address not in (None, backend.address):
        raise WorldError(f"back end {name} exists with other values; `./actium backend stop {name}` first")
    write_atomically(wish_file(world, name), msgspec.json.encode(backend))
    try:
        ensure(world, backend)
    except BaseException:
        if not same:
            forget(world, name)
        raise
    return backend


def choose(world: World, name: str, *, network: str, port: int, address: str | None) -> Backend:
    if not NAME_PATTERN.fullmatch(name):
        raise WorldError(f"a back end's name is 1 to 31 small letters, digits and hyphens, not {name!r}")
    if not 0 < port < 65536:
        raise WorldError(f"--port must be from 1 to 65535, not {port}")
    place = world.network(network)
    if place.role == "management":
        raise WorldError(f"network {network} is for managing amphorae; choose another")
    taken = {IPv4Address(other.address) for other in wished(world) if other.network == network}
    chosen = check_address(place, address, taken) if address else free_address(place, taken)
    return Backend(name=name, network=network, address=str(chosen), port=port)


def check_address(network: Network, text: str, taken: set[IPv4Address]) -> IPv4Address:
    try:
        address = IPv4Address(text)
    except AddressValueError as exc:
        raise WorldError(f"--address must be an IPv4 address, not {text!r}") from exc
    if address not in network.range:
        raise WorldError(f"--address {address} is outside of {network.name}'s range {network.cidr}")
    if address in taken or str(address) in (network.gateway, network.host) or network.in_pool(address):
        raise WorldError(
            f"--address {address} is taken or belongs to {network.name}'s pool of {'-'.join(network.pool)}"
        )
    return address


def free_address(network: Network, taken: set[IPv4Address]) -> IPv4Address:
    for place in range(FIRST_ADDRESS, LAST_ADDRESS + 1):
        address = network.range[place]
        if address not in taken and not network.in_pool(address):
            return address
    raise WorldError(f"{network.name} has no free address for a back end; give one with --address")


def ensure(world: World, backend: Backend) -> None:
    """Have its namespace, cable and process; each step may find itself done already."""
    if find(world, backend):
        return
    network = world.network(backend.network)
    await_bridge(world, network)
    unplug(world, backend)  # the rest of one that was half-made, or whose process has died
    plug(world, backend, network)
    serve(world, backend)


def await_bridge(world: World, network: Network) -> None:
    """The network service makes it at its start, which may be a moment ago."""
    deadline = time.monotonic() + BRIDGE_WITHIN_S
    while world.fabric_namespace not in host.namespaces() or f"br-{network.name}" not in host.links(
        world.fabric_namespace
    ):
        if not processes.find(world, "network") or time.monotonic() > deadline:
            raise WorldError(f"network {network.name} does not stand, as the world is not up; `./actium up` starts it")
        time.sleep(POLL_S)


def plug(world: World, backend: Backend, network: Network) -> None:
    namespace, fabric = world.backend_namespace(backend.name), world.fabric_namespace
    host.run("ip", "netns", "add", namespace)
    outside = [
        # The same MAC whenever it returns: neighbours remember the one that an address had.
        f"link add {backend.fabric_link} type veth peer name eth0 address {mac_of(namespace)} netns {namespace}",
        f"link set {backend.fabric_link} addrgenmode none",
        f"link set {backend.fabric_link} master br-{network.name} up",
    ]
    inside = [
        "link set lo up",
        "link set eth0 addrgenmode none",
        f"address add {backend.address}/{network.range.prefixlen} dev eth0",
        *([f"address add {network.ipv6_beside(backend.address)}/64 dev eth0 nodad"] if network.ipv6 else []),
        "link set eth0 up",
        *([f"route add default via {network.gateway}"] if network.gateway else []),
        *([f"route add default via {network.ipv6.gateway}"] if network.ipv6 and network.ipv6.gateway else []),
    ]
    host.run("ip", "-n", fabric, "-batch", "-", given="\n".join(outside))
    host.run("ip", "-n", namespace, "-batch", "-", given="\n".join(inside))


def serve(world: World, backend: Backend) -> None:
    command = [
        "nsenter",
        f"--net={host.NAMESPACES / world.backend_namespace(backend.name)}",
        sys.executable,
        "-I",
        "-S",
    ]
    command += [str(SERVER), "--name", backend.name, "--port", str(backend.port)]
    with (world.logs / f"{backend.process_name}.log").open("ab") as log:
        child = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **processes.marked(world, backend.process_name, command)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running = processes.describe(child.pid)
    if running is None:
        raise WorldError(f"back end {backend.name} ended at once; see `./actium logs {backend.process_name}`")
    processes.write_record(world.run, backend.process_name, running)
    child.returncode = 0  # it is to outlive this command, so nobody here waits for it
    await_listening(backend, running)


def await_listening(backend: Backend, running: Running) -> None:
    deadline = time.monotonic() + LISTEN_WITHIN_S
    while not host.is_listening(backend.port, seen_by=running.pid):
        if not running.is_alive() or time.monotonic() > deadline:
            raise WorldError(f"back end {backend.name} does not listen; see `./actium logs {backend.process_name}`")
        time.sleep(POLL_S)


def end(world: World, backend: Backend) -> None:
    """Leave nothing of it but the wish."""
    running = find(world, backend)
    if running:
        processes.end(running, patience_s=END_PATIENCE_S)
    processes.record_file(world.run, backend.process_name).unlink(missing_ok=True)
    unplug(world, backend)


def forget(world: World, name: str) -> None:
    known = {backend.name: backend for backend in wished(world)}
    if name not in known:
        raise WorldError(f"there is no back end {name!r}; there are: {', '.join(known) or 'none'}")
    end(world, known[name])
    wish_file(world, name).unlink()


def unplug(world: World, backend: Backend) -> None:
    """The cable first: a namespace's end frees its links' names only some time later."""
    here = host.namespaces()
    if world.fabric_namespace in here and backend.fabric_link in host.links(world.fabric_namespace):
        host.run("ip", "-n", world.fabric_namespace, "link", "del", backend.fabric_link)
    if world.backend_namespace(backend.name) in here:
        host.run("ip", "netns", "del", world.backend_namespace(backend.name))


def wish_file(world: World, name: str) -> Path:
    return world.backends / f"{name}.json"
