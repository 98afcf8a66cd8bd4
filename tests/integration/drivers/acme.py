"""A vendor's driver as its vendor would write it: octavia-lib only. What it is asked is kept, for tests to look at."""

import threading
import time
from typing import Any

from octavia_lib.api.drivers import exceptions
from octavia_lib.api.drivers.driver_lib import DriverLibrary
from octavia_lib.api.drivers.provider_base import ProviderDriver

CALLS: list[tuple[str, tuple[Any, ...]]] = []
SLOW_S = 1.5
STEADY_S = 0.7
SOCKETS = ""
RELEASE = threading.Event()
"""What holds on until it is set, or a test has long given up."""

HELD_MOST_S = 20.0


def tell(statuses: dict[str, Any]) -> None:
    library = DriverLibrary(*(f"{SOCKETS}/{name}.sock" for name in ("status", "stats", "get")))
    library.update_loadbalancer_status(statuses)


class AcmeDriver(ProviderDriver):
    def __getattribute__(self, name: str) -> Any:
        # Every method that the interface knows takes what it is given, unless it is written out below.
        if name in TAKEN:
            return lambda *arguments: CALLS.append((name, arguments))
        return super().__getattribute__(name)

    def loadbalancer_create(self, loadbalancer: Any) -> None:
        CALLS.append(("loadbalancer_create", (loadbalancer,)))
        match loadbalancer.name:
            case "unsupported":
                raise exceptions.UnsupportedOptionError(user_fault_string="no such option", operator_fault_string="x")
            case "conflict":
                raise exceptions.Conflict(user_fault_string="address in use")
            case "broken":
                raise exceptions.DriverError(user_fault_string="the appliance burns")
            case "bug":
                raise ZeroDivisionError("of all things")
            case "out of resources":
                raise exceptions.DriverError(user_fault_string="out of resources: all appliances are full")
            case "eager":
                tell({"loadbalancers": [{"id": loadbalancer.loadbalancer_id, "provisioning_status": "ACTIVE"}]})
            case "slow":
                time.sleep(SLOW_S)
                CALLS.append(("slow_end", ()))
            case "steady":
                time.sleep(STEADY_S)

    def listener_delete(self, listener: Any) -> None:
        CALLS.append(("listener_delete", (listener,)))
        gone = {"id": listener.listener_id, "provisioning_status": "DELETED"}
        done = {"id": listener.loadbalancer_id, "provisioning_status": "ACTIVE"}
        if listener.name == "quick":
            tell({"listeners": [gone], "loadbalancers": [done]})

    def loadbalancer_delete(self, loadbalancer: Any, cascade: bool = False) -> None:
        CALLS.append(("loadbalancer_delete", (loadbalancer, cascade)))
        if loadbalancer.name == "quick":
            tell({"loadbalancers": [{"id": loadbalancer.loadbalancer_id, "provisioning_status": "DELETED"}]})

    def validate_flavor(self, flavor_dict: dict[str, Any]) -> None:
        CALLS.append(("validate_flavor", (flavor_dict,)))
        if "speed" not in flavor_dict:
            raise exceptions.UnsupportedOptionError(user_fault_string="speed is all we know")
        match flavor_dict["speed"]:
            case "steady":
                time.sleep(STEADY_S)
            case "held":
                RELEASE.wait(HELD_MOST_S)

    def get_supported_flavor_metadata(self) -> dict[str, str]:
        return {"speed": "How fast."}


class PortDriver(AcmeDriver):
    """One that makes the VIP's port itself."""

    def create_vip_port(
        self, loadbalancer_id: str, project_id: str, vip: dict[str, Any], additional_vips: list[dict[str, Any]]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        CALLS.append(("create_vip_port", (loadbalancer_id, vip, additional_vips)))
        return {**vip, "vip_address": "198.51.100.7", "vip_port_id": f"port-{loadbalancer_id[:8]}"}, []


TAKEN = frozenset(
    name
    for name in vars(ProviderDriver)
    if name.endswith(("_create", "_update", "_delete", "_failover")) and name not in vars(AcmeDriver)
)
