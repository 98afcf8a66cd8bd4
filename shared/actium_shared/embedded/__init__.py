"""
The embedded world's names and ids, on which its services and tools agree. Pure: nothing is touched here.

Siblings do the touching, with nothing but the standard library: `namespaces`, `links`, `teardown`.
"""

import hashlib
from pathlib import Path

from actium_shared.ids import derived_id

MANAGEMENT_INTERFACE = "mgmt0"
"""What an amphora's interface on the management network is called inside."""

RUN_FOLDER = Path("/run/actium")
"""Keys and certificates of amphorae; in memory where /run is."""

_PORT_DIGITS = 12
"""Of the end of a port's id: with a prefix of three this fills a link's name (15), and is random in every UUID version."""


def fabric_namespace(world: str) -> str:
    return f"{world}-fabric"


def router_namespace(world: str) -> str:
    return f"{world}-router"


def network_id(world: str, name: str) -> str:
    return derived_id(world, "network", name)


def subnet_id(world: str, name: str) -> str:
    return derived_id(world, "subnet", name)


def bridge(network: str) -> str:
    """Give the name of a network's bridge in the fabric namespace."""
    return f"br-{network}"


def amphora_namespace(amphora_id: str) -> str:
    """Give the namespace of the amphora's management side, where its agent runs."""
    return f"amphora-{amphora_id}"


def traffic_namespace(amphora_id: str) -> str:
    """Give the namespace where the amphora's VIPs and its haproxy are."""
    return f"amphora-{amphora_id}-traffic"


def secrets_folder(amphora_id: str) -> Path:
    """Give the folder that the agent reads at its start."""
    return RUN_FOLDER / amphora_namespace(amphora_id)


def fabric_end(port_id: str) -> str:
    """Give the name of the port's link in the fabric; a name so given yields itself."""
    return f"fab{_digits(port_id)}"


def machine_end(port_id: str) -> str:
    """Give the name of the port's other link, until it is in an amphora that calls it something else."""
    return f"amp{_digits(port_id)}"


def mac_of(port_id: str) -> str:
    """Give the port's MAC: locally administered, always the same, so that no ARP cache goes stale."""
    return ":".join(("fa", *(f"{byte:02x}" for byte in hashlib.sha256(port_id.encode()).digest()[:5])))


def _digits(port_id: str) -> str:
    return port_id.replace("-", "")[-_PORT_DIGITS:]
