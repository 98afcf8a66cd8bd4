"""Bundles as compute renders them, with what a test does not care about filled in."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgpack

from system.amphora_agent.sandbox import VIP

LISTENER, POOL = "listener-1", "pool-1"
BACKEND = f"{POOL}:{LISTENER}"


def server(member: str, address: str, *, port: int = 8000, weight: int = 1, extra: str = "") -> str:
    return f"    server {member} {address}:{port} weight {weight} check inter 200ms fall 1 rise 1 {extra}"


def haproxy(*servers: str, bind: str = f"{VIP}:80", more: str = "") -> bytes:
    lines = f"""
global
    stats socket /run/amphora/haproxy.sock mode 600 level admin expose-fd listeners
    log /run/amphora/haproxy-log.sock format rfc5424 local0 notice
    maxconn 1000
    nbthread 1
    hard-stop-after 5s
    server-state-file /run/amphora/haproxy.state
defaults
    load-server-state-from-file global
    mode http
    log global
    option redispatch
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend {LISTENER}
    bind {bind}
    default_backend {BACKEND}
backend {BACKEND}
    option httpchk GET /
{chr(10).join(servers)}
{more}
"""
    return lines.encode()


def card(mac: str, name: str = "vip0", **changes: Any) -> dict[str, Any]:
    wanted = {
        "mac": mac,
        "name": name,
        "mtu": 1400,
        "addresses": ["203.0.113.20/24"],
        "vips": [f"{VIP}/32"],
        "gateway": "203.0.113.1",
        "metric": 10,
    }
    return wanted | changes


def bundle(number: int, config: bytes, interfaces: Sequence[dict[str, Any]] = (), **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "bundle": number,
        "epoch": 1,
        "files": {"haproxy.cfg": config},
        "interfaces": list(interfaces),
        "flags": {"yield": False, "fence": False},
        "runtime": None,
    }
    made |= changes
    content = {name: made[name] for name in ("files", "interfaces", "flags")}
    return {"digest": hashlib.sha256(msgpack.packb(content)).hexdigest()} | made
