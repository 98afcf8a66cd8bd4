"""Identifiers: their types, and the only source of new ones."""

import uuid
from typing import NewType, Protocol

LoadBalancerId = NewType("LoadBalancerId", str)
ListenerId = NewType("ListenerId", str)
PoolId = NewType("PoolId", str)
MemberId = NewType("MemberId", str)
HealthMonitorId = NewType("HealthMonitorId", str)
L7PolicyId = NewType("L7PolicyId", str)
L7RuleId = NewType("L7RuleId", str)
SecretRef = NewType("SecretRef", str)
ApplianceId = NewType("ApplianceId", str)
SparesId = NewType("SparesId", str)
AmphoraId = NewType("AmphoraId", str)
NetworkId = NewType("NetworkId", str)
SubnetId = NewType("SubnetId", str)
PortId = NewType("PortId", str)
ProjectId = NewType("ProjectId", str)
RolloutId = NewType("RolloutId", str)

NAMESPACE = uuid.UUID("5f1b0c5e-7d2c-5a7e-9f5e-6c1f3a9d2b10")
"""Fixed for ever: ids derived from it are on the log."""


class Ids(Protocol):
    """Where new identifiers come from; a test passes one that counts."""

    def new(self) -> str: ...


class RandomIds:
    """Random version 4 UUIDs in canonical lower case."""

    def new(self) -> str:
        return str(uuid.uuid4())


def derived_id(*parts: str) -> str:
    """Give the same UUID for the same parts, so that a repeated decision names the same thing."""
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def partition(target: str, count: int = 16) -> int:
    """Give the partition of a target: FNV-1a modulo `count`, as the bus computes it in its subject transforms."""
    value = 0x811C9DC5
    for byte in target.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value % count
