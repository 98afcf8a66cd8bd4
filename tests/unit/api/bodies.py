"""Bodies as clients would send them, with everything filled in that a test does not care about, and refusals of them."""

from typing import Any

import pytest

from actium_api.faults import Fault
from actium_api.schemas import tls
from actium_api.schemas.fields import parse
from actium_api.schemas.health_monitor import HealthMonitorPost
from actium_api.schemas.listener import ListenerPost
from actium_api.schemas.load_balancer import LoadBalancerPost
from actium_api.schemas.member import MemberPost
from actium_api.schemas.pool import PoolPost
from actium_api.settings import ApiSettings
from builders import LB, POOL, PUBLIC

SETTINGS = ApiSettings()
LISTENERS, POOLS = tls.listeners(SETTINGS), tls.pools(SETTINGS)


NOTHING: dict[str, Any] = {"stored": {"tls_ciphers": None, "tls_versions": None, "alpn_protocols": None}, "site": POOLS}


class CountingIds:
    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"id-{self._count}"


def a_listener(**fields: Any) -> ListenerPost:
    sent = {"loadbalancer_id": LB, "protocol": "HTTP", "protocol_port": 80} | fields
    return parse(ListenerPost, "listener", sent)


TERMINATING = {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": "r"}


def a_pool(**fields: Any) -> PoolPost:
    return parse(PoolPost, "pool", {"loadbalancer_id": LB, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"} | fields)


def a_member(**fields: Any) -> MemberPost:
    return parse(MemberPost, "member", {"address": "10.0.0.1", "protocol_port": 80} | fields)


def a_monitor(**fields: Any) -> HealthMonitorPost:
    sent = {"pool_id": POOL, "type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1} | fields
    return parse(HealthMonitorPost, "healthmonitor", sent)


def a_load_balancer(**fields: Any) -> LoadBalancerPost:
    return parse(LoadBalancerPost, "loadbalancer", {"vip_subnet_id": PUBLIC} | fields)


def refused(status: int, *words: str) -> Any:
    """Expect a refusal whose text holds these words in this order."""
    return pytest.raises(Fault, match=".*".join(words), check=lambda fault: fault.status == status)
