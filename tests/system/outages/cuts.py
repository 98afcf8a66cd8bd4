"""Cables that stop carrying, unnoticed by those at their ends: rules in the fabric, taken back when the block ends."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actium_shared.embedded import MANAGEMENT_INTERFACE, amphora_namespace, fabric_end
from system.outages.drills import Site

TABLE = "bridge drill"


@contextmanager
def cut_between(site: Site, one: dict[str, Any], other: dict[str, Any]) -> Iterator[None]:
    """Let nothing pass between two amphorae (as the API shows them) on the VIPs' network; all others reach both."""
    ends = [fabric_end(amphora["vrrp_port_id"]) for amphora in (one, other)]
    rules = [f"iifname {a} oifname {b} drop" for a, b in (ends, ends[::-1])]
    with _rules(site, f"chain apart {{ type filter hook forward priority 0; {'; '.join(rules)}; }}"):
        yield


@contextmanager
def unheard(site: Site, amphora_id: str) -> Iterator[None]:
    """Let nothing pass between an amphora and the management network."""
    end = fabric_end(_management_port(amphora_id))
    arriving = f"chain arriving {{ type filter hook prerouting priority 0; iifname {end} drop; }}"
    leaving = f"chain leaving {{ type filter hook postrouting priority 0; oifname {end} drop; }}"
    with _rules(site, arriving, leaving):
        yield


def _management_port(amphora_id: str) -> str:
    shown = subprocess.run(
        ["ip", "-n", amphora_namespace(amphora_id), "-o", "link", "show", MANAGEMENT_INTERFACE],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.partition("alias ")[2].strip()


@contextmanager
def _rules(site: Site, *chains: str) -> Iterator[None]:
    _nft(site, "\n".join((f"table {TABLE} {{", *chains, "}")))
    try:
        yield
    finally:
        _nft(site, f"delete table {TABLE}")


def _nft(site: Site, words: str) -> None:
    namespace = site.world.facts.fabric_namespace
    subprocess.run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=words, text=True, check=True)
