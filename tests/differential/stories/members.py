"""Members one by one."""

from collections.abc import Iterator
from typing import Any

from differential.story import MEMBER, NOTHING, SUBNET, Story


def attempts() -> Iterator[Story]:
    story = Story("members")
    lb = story.load_balancer()
    pool = story.pool(lb)
    story.member(pool, is_told=True, name="first", tags=["a"])
    for name, fields in {
        "the same again": {},
        "another port": {"protocol_port": 81},
        "another address": {"address": "192.0.2.11"},
        "IPv6": {"address": "2001:DB8::1"},
        "the metadata address": {"address": "169.254.169.254"},
        "loopback": {"address": "127.0.0.1"},
        "a name": {"address": "host.example"},
        "no address": {"address": ...},
        "null address": {"address": None},
        "no port": {"protocol_port": ...},
        "port 0": {"protocol_port": 0},
        "subnet": {"address": "192.0.2.12", "subnet_id": SUBNET},
        "null subnet": {"address": "192.0.2.12", "subnet_id": None},
        "bad subnet": {"address": "192.0.2.12", "subnet_id": "x"},
        "weight 0": {"address": "192.0.2.12", "weight": 0},
        "weight 256": {"address": "192.0.2.12", "weight": 256},
        "weight 257": {"address": "192.0.2.12", "weight": 257},
        "null weight": {"address": "192.0.2.12", "weight": None},
        "backup": {"address": "192.0.2.12", "backup": True},
        "monitor address and port": {"address": "192.0.2.12", "monitor_address": "192.0.2.99", "monitor_port": 99},
        "bad monitor address": {"address": "192.0.2.12", "monitor_address": "x"},
        "monitor port 0": {"address": "192.0.2.12", "monitor_port": 0},
        "virtual functions": {"address": "192.0.2.12", "request_sriov": True},
        "no virtual functions": {"address": "192.0.2.12", "request_sriov": False},
        "null virtual functions": {"address": "192.0.2.12", "request_sriov": None},
        "project of another": {"address": "192.0.2.12", "project_id": "p2"},
        "null name": {"address": "192.0.2.12", "name": None},
    }.items():
        wish: dict[str, Any] = {**MEMBER, **fields}
        wish = {key: value for key, value in wish.items() if value is not ...}
        story.attempt(f"pools/{pool}/members", "member", wish, name=name)
    datagrams = story.pool(lb, protocol="UDP")
    for name, address in {"IPv4": "192.0.2.13", "IPv6": "2001:db8::1"}.items():
        story.attempt(f"pools/{datagrams}/members", "member", {**MEMBER, "address": address}, name=f"{name} by UDP")
    yield story


def life() -> Iterator[Story]:
    story = Story("a member's life")
    lb = story.load_balancer()
    pool, other = story.pool(lb), story.pool(lb)
    member = story.member(pool)
    path = f"pools/{pool}/members/{member}"
    for change in (
        {"name": "m"},
        {"name": None},
        {"weight": 5},
        {"weight": None},
        {"weight": 257},
        {"backup": True},
        {"backup": None},
        {"admin_state_up": False},
        {"admin_state_up": None},
        {"monitor_address": "192.0.2.99", "monitor_port": 99},
        {"monitor_address": None, "monitor_port": None},
        {"tags": ["b"]},
        {"address": "192.0.2.1"},
        {"protocol_port": 1},
        {"subnet_id": SUBNET},
        {"request_sriov": True},
        {},
    ):
        story.put(path, "member", change, name=f"change {change!r:.60}")
    story.get(path)
    story.get(f"{path}?pool_id={pool}")
    story.get(f"pools/{pool}/members/first?pool_id={pool}")
    story.get(f"pools/{other}/members/{member}")
    story.put(f"pools/{other}/members/{member}", "member", {"weight": 1})
    story.delete(f"pools/{other}/members/{member}")
    story.get(f"pools/{pool}")
    story.delete(path)
    story.get(path)
    story.delete(f"pools/{pool}/members/{NOTHING}")
    story.get(f"pools/{pool}")
    yield story


def statuses() -> Iterator[Story]:
    story = Story("members' operating status")
    lb = story.load_balancer()
    pool = story.pool(lb)
    member = story.member(pool)
    path = f"pools/{pool}/members/{member}"
    monitor = story.monitor(pool)
    story.get(path, name="member that was there before its monitor")
    story.member(pool, is_told=True, protocol_port=81)
    story.get(f"pools/{pool}/members?sort=protocol_port")
    story.delete(f"healthmonitors/{monitor}")
    story.get(f"pools/{pool}/members?sort=protocol_port", name="members without monitor")
    yield story


TELLERS = (attempts, life, statuses)
