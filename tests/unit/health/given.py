"""Trees, reports, beats and commits with everything filled in that a test of health does not care about."""

from datetime import UTC, datetime
from typing import Any

from actium_health.operating_status import Kind, Node, Tree
from actium_health.report import PoolReport, Report
from actium_shared import streams
from actium_shared.crypto import heartbeat_key
from actium_shared.envelope import Envelope
from actium_shared.event_store import Recorded
from actium_shared.events import amphora, appliance
from actium_shared.events import load_balancer as lb
from actium_shared.heartbeat import Heartbeat, pack
from actium_shared.ids import AmphoraId, ApplianceId, PortId
from actium_shared.message import Commit, Event, Position, WorkCause
from builders import (
    LB,
    LISTENER,
    MEMBER,
    POOL,
    PUBLIC,
    an_id,
    health_monitor,
    listener,
    load_balancer,
    member,
    pool,
)

MASTER_KEY = bytes(range(32))
AMPHORA = AmphoraId(an_id("amphora"))
APPLIANCE = ApplianceId(an_id("appliance"))
BOOT = "boot-1"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def node(kind: Kind, about: str, **fields: Any) -> Node:
    defaults: dict[str, Any] = {"kind": kind, "id": about, "enabled": True, "generation": 1}
    return Node(**(defaults | fields))


def tree(**fields: Any) -> Tree:
    """A listener, a monitored pool, a member."""
    defaults: dict[str, Any] = {
        "load_balancer": node(Kind.LOAD_BALANCER, "lb"),
        "listeners": (node(Kind.LISTENER, "listener"),),
        "pools": (node(Kind.POOL, "pool", monitored=True),),
        "members": (node(Kind.MEMBER, "member", parent_id="pool"),),
    }
    return Tree(**(defaults | fields))


def report(*, listener: str = "OPEN", pool: str = "UP", members: dict[str, str] | None = None, **fields: Any) -> Report:
    words = {"member": "UP"} if members is None else members
    defaults: dict[str, Any] = {
        "bundle": 1,
        "settled": True,
        "listeners": {"listener": listener},
        "pools": {"pool": PoolReport(status=pool, members=words)},
    }
    return Report(**(defaults | fields))


def beat(*, member: str = "UP", bundle: int = 1, bytes_in: int = 0, active: int = 0, **fields: Any) -> dict[str, Any]:
    """The body of a beat about the objects of `builders`."""
    defaults: dict[str, Any] = {
        "bundle": bundle,
        "digest": "d" * 64,
        "role": "STANDALONE",
        "haproxy": "running",
        "drift": None,
        "listeners": {
            LISTENER: {
                "status": "OPEN",
                "active_connections": active,
                "total_connections": bytes_in // 100,
                "bytes_in": bytes_in,
                "bytes_out": 2 * bytes_in,
                "request_errors": 0,
            }
        },
        "pools": {POOL: {"status": "DOWN" if member.startswith("DOWN") else "UP", "members": {MEMBER: member}}},
        "load": 0.1,
        "memory_bytes": 20_000_000,
    }
    return defaults | fields


def edge(status: str, reason: str = "Layer4 timeout") -> dict[str, Any]:
    return {"edges": [{"kind": "member", "id": MEMBER, "pool_id": POOL, "status": status, "reason": reason}]}


def datagram(body: dict[str, Any], *, at: float, counter: int = 1, key: bytes | None = None, **fields: Any) -> bytes:
    defaults: dict[str, Any] = {"amphora_id": AMPHORA, "key_version": 1, "boot_id": BOOT, "kind": "beat"}
    heartbeat = Heartbeat(**(defaults | fields), counter=counter, at=at, body=body)
    return pack(heartbeat, key or heartbeat_key(MASTER_KEY, heartbeat.amphora_id, heartbeat.key_version))


def planner_events() -> list[tuple[str, str, list[Event]]]:
    """A load balancer with listener, monitored pool and member, placed on an appliance: (aggregate, id, events) each."""
    whole: list[Event] = [
        lb.LoadBalancerCreated(load_balancer_id=LB, generation=1, load_balancer=load_balancer()),
        lb.PoolCreated(load_balancer_id=LB, generation=1, pool=pool()),
        lb.ListenerCreated(load_balancer_id=LB, generation=1, listener=listener(default_pool_id=POOL)),
        lb.MemberCreated(load_balancer_id=LB, generation=1, pool_id=POOL, member=member()),
        lb.HealthMonitorCreated(load_balancer_id=LB, generation=1, pool_id=POOL, health_monitor=health_monitor()),
    ]
    carried: list[Event] = [
        appliance.LoadBalancerAdmitted(appliance_id=APPLIANCE, load_balancer_id=LB),
        appointed(AMPHORA),
        appliance.BundleCut(appliance_id=APPLIANCE, bundle=1, holds={LB: 1}, deadline_at=NOW),
    ]
    return [("loadbalancer", LB, whole), ("appliance", APPLIANCE, carried)]


def appointed(amphora_id: AmphoraId) -> appliance.AmphoraAppointed:
    return appliance.AmphoraAppointed(
        appliance_id=APPLIANCE,
        amphora_id=amphora_id,
        role="STANDALONE",
        attempt=1,
        management_port_id=PortId(an_id("management-port")),
        vip_port_id=PortId(an_id("amphora-vip-port")),
        vip_subnet_id=PUBLIC,
        deadline_at=NOW,
    )


def booted(*, key_version: int = 1, **fields: Any) -> amphora.AmphoraBooted:
    defaults: dict[str, Any] = {
        "amphora_id": AMPHORA,
        "appliance_id": APPLIANCE,
        "compute_id": "c",
        "host": "host-1",
        "image_tag": "t",
        "management_address": "10.250.1.0",
        "heartbeat_key_version": key_version,
        "certificate_expires_at": NOW,
    }
    return amphora.AmphoraBooted(**(defaults | fields))


def renewed(*, key_version: int) -> amphora.AmphoraCertificateRenewed:
    return amphora.AmphoraCertificateRenewed(
        amphora_id=AMPHORA,
        appliance_id=APPLIANCE,
        certificate_expires_at=NOW,
        heartbeat_key_version=key_version,
    )


def amphora_deleted() -> amphora.AmphoraDeleted:
    return amphora.AmphoraDeleted(amphora_id=AMPHORA, appliance_id=APPLIANCE)


def commit(*events: Event, reads: dict[str, int] | None = None) -> Commit:
    return Commit(
        id=an_id(repr(events)), events=events, cause=WorkCause(order_id="test"), decided_at=NOW, reads=reads or {}
    )


def recorded(owner: str, aggregate: str, about: str, sequence: int, *events: Event, **fields: Any) -> Recorded:
    made = commit(*events, **fields)
    return Recorded(
        commit=made,
        envelope=Envelope(id=made.id, type="actium.commit", version=1, source="/test", time=NOW, correlation_id="test"),
        subject=streams.event_subject(owner, aggregate, about),
        position=Position(streams.events_of(owner), sequence),
        stored_at=NOW,
    )
