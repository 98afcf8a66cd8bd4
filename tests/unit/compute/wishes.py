"""A whole configuration order with everything filled in that a test does not care about."""

from typing import Any

from actium_shared.commands.compute import BootAmphora, ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import AmphoraId, ApplianceId, NetworkId, PortId, SubnetId
from actium_shared.wishes import Listener, LoadBalancerWish, PoolWish
from builders import PUBLIC, TENANT, an_id, health_monitor, listener, load_balancer, member, pool

AMPHORA = AmphoraId(an_id("amphora"))
APPLIANCE = ApplianceId(an_id("appliance"))
MANAGEMENT_PORT = PortId(an_id("management-port"))
VIP_PORT = PortId(an_id("vip-port"))
TENANT_PORT = PortId(an_id("tenant-port"))


def port(port_id: PortId, subnet: str, address: str, **fields: Any) -> Port:
    defaults: dict[str, Any] = {
        "id": port_id,
        "network_id": NetworkId(an_id(f"network of {subnet}")),
        "subnet_id": SubnetId(subnet),
        "address": address,
        "prefix_length": 24,
        "mac": "fa:16:3e:00:00:01",
        "mtu": 1500,
    }
    return Port(**(defaults | fields))


PORTS = {
    MANAGEMENT_PORT: port(MANAGEMENT_PORT, "management", "10.250.1.1"),
    VIP_PORT: port(VIP_PORT, PUBLIC, "203.0.113.101", gateway="203.0.113.1"),
    TENANT_PORT: port(TENANT_PORT, TENANT, "10.1.0.5", mac="fa:16:3e:00:00:02"),
}


def boot_order(**fields: Any) -> BootAmphora:
    defaults: dict[str, Any] = {
        "amphora_id": AMPHORA,
        "appliance_id": APPLIANCE,
        "image_tag": "default",
        "management_port_id": MANAGEMENT_PORT,
        "vip_port_id": VIP_PORT,
        "deadline_s": 30.0,
    }
    return BootAmphora(**(defaults | fields))


def order(*pools: PoolWish, listeners: tuple[Listener, ...] | None = None, **fields: Any) -> ConfigureAmphora:
    """Give an order for one load balancer with these pools; by default the listener uses the first."""
    pools = pools or (PoolWish(pool=pool(), members=(member(),), health_monitor=health_monitor()),)
    wish = LoadBalancerWish(
        generation=1,
        load_balancer=load_balancer(**fields.pop("balancer", {})),
        listeners=listeners if listeners is not None else (listener(default_pool_id=pools[0].pool.id),),
        pools=pools,
        l7_policies=fields.pop("policies", ()),
    )
    defaults: dict[str, Any] = {
        "amphora_id": AMPHORA,
        "appliance_id": APPLIANCE,
        "bundle": 1,
        "epoch": 1,
        "role": "STANDALONE",
        "vip_port_id": VIP_PORT,
        "load_balancers": (wish,),
        "member_ports": {TENANT: TENANT_PORT},
    }
    return ConfigureAmphora(**(defaults | fields))


def with_members(*members: Any, **fields: Any) -> ConfigureAmphora:
    """Give an order whose one pool has these members."""
    return order(PoolWish(pool=pool(**fields), members=members, health_monitor=health_monitor()))
