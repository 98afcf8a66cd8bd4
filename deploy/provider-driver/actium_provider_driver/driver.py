"""octavia-lib's provider driver: each call is one command to Actium's driver API. It returns when Actium has accepted."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from octavia_lib.api.drivers import exceptions
from octavia_lib.api.drivers.provider_base import ProviderDriver

from actium_provider_driver import models, settings
from actium_provider_driver.client import LISTS, Client, Document, RefusedError
from actium_provider_driver.models import Body

T = TypeVar("T")

CAPABILITIES = f"{LISTS}/providers/actium"


class ActiumProviderDriver(ProviderDriver):  # type: ignore[misc]  # octavia-lib has no types
    """Serves load balancers by Actium."""

    def __init__(self, client: Client | None = None) -> None:
        super().__init__()
        self._given = client

    # -- load balancers

    def create_vip_port(
        self,
        loadbalancer_id: str,
        project_id: str,
        vip_dictionary: Mapping[str, Any],
        additional_vip_dicts: list[Mapping[str, Any]] | None = None,
    ) -> tuple[Document, list[Document]]:
        wish = {
            "load_balancer_id": loadbalancer_id,
            "project_id": project_id,
            "subnet_id": vip_dictionary.get("vip_subnet_id"),
            "network_id": vip_dictionary.get("vip_network_id"),
            "port_id": vip_dictionary.get("vip_port_id"),
            "address": vip_dictionary.get("vip_address"),
            "additional": [_additional(each) for each in additional_vip_dicts or ()],
        }
        reserved = self._command("vip.reserve", wish)
        own = {f"vip_{its}": reserved["vip"][ours] for ours, its in VIP_NAMES.items()}
        more = [{ITS_NAMES[ours]: each[ours] for ours in VIP_NAMES} for each in reserved["additional_vips"]]
        return {**vip_dictionary, **own}, more

    def loadbalancer_create(self, loadbalancer: Any) -> None:
        # What was reserved, in full: octavia-lib hands over neither prefix nor gateway. Asked again, it is the same.
        wish = {
            "load_balancer_id": loadbalancer.loadbalancer_id,
            "project_id": loadbalancer.project_id,
            "subnet_id": loadbalancer.vip_subnet_id or None,
            "network_id": loadbalancer.vip_network_id or None,
            "address": loadbalancer.vip_address or None,
            "additional": [_additional(each) for each in loadbalancer.additional_vips or ()],
        }
        reserved = self._command("vip.reserve", wish)
        body = models.load_balancer(loadbalancer, reserved["vip"], reserved["additional_vips"])
        self._command("loadbalancer.create", body)

    def loadbalancer_delete(self, loadbalancer: Any, cascade: bool = False) -> None:
        self._command("loadbalancer.delete", {"load_balancer_id": loadbalancer.loadbalancer_id, "cascade": cascade})

    def loadbalancer_failover(self, loadbalancer_id: str) -> None:
        self._command("loadbalancer.fail-over", {"load_balancer_id": loadbalancer_id})

    def loadbalancer_failover_with_flavor(self, loadbalancer_id: str, flavor_id: str) -> None:
        why = f"Actium does not exchange the flavor of load balancer {loadbalancer_id}"
        raise exceptions.NotImplementedError(user_fault_string=f"{why}.", operator_fault_string=f"{why}: {flavor_id}.")

    def loadbalancer_update(self, old_loadbalancer: Any, new_loadbalancer: Any) -> None:
        changes = models.changes(new_loadbalancer, models.LOAD_BALANCER)
        self._command(
            "loadbalancer.update", {"load_balancer_id": _id(old_loadbalancer, "loadbalancer_id"), "changes": changes}
        )

    # -- listeners

    def listener_create(self, listener: Any) -> None:
        self._command("listener.create", {**_of(listener), "listener": models.listener(listener)})

    def listener_delete(self, listener: Any) -> None:
        self._command("listener.delete", {**_of(listener), "listener_id": listener.listener_id})

    def listener_update(self, old_listener: Any, new_listener: Any) -> None:
        changes = models.changes(new_listener, models.LISTENER, fixed=("protocol", "protocol_port"))
        self._command(
            "listener.update", {**_of(old_listener), "listener_id": old_listener.listener_id, "changes": changes}
        )

    # -- pools and what is in them

    def pool_create(self, pool: Any) -> None:
        listener_id = pool.listener_id or None
        self._command("pool.create", {**_of(pool), "pool": models.pool(pool), "listener_id": listener_id})

    def pool_delete(self, pool: Any) -> None:
        self._command("pool.delete", {**_of(pool), "pool_id": pool.pool_id})

    def pool_update(self, old_pool: Any, new_pool: Any) -> None:
        changes = models.changes(new_pool, models.POOL, fixed=("protocol",))
        self._command("pool.update", {**_of(old_pool), "pool_id": old_pool.pool_id, "changes": changes})

    def member_create(self, member: Any) -> None:
        self._command("member.create", {**self._in_pool(member.pool_id), "member": models.member(member)})

    def member_delete(self, member: Any) -> None:
        self._command("member.delete", {**self._in_pool(member.pool_id), "member_id": member.member_id})

    def member_update(self, old_member: Any, new_member: Any) -> None:
        fixed = ("address", "protocol_port", "subnet_id", "vnic_type")
        changes = models.changes(new_member, models.MEMBER, fixed=fixed)
        body = {**self._in_pool(old_member.pool_id), "member_id": old_member.member_id, "changes": changes}
        self._command("member.update", body)

    def member_batch_update(self, pool_id: str, members: list[Any]) -> None:
        made = [models.member(each) for each in members]
        batch = [{"member": each, "sent": sorted(each)} for each in made]
        self._command("member.replace-all", {**self._in_pool(pool_id), "members": batch})

    def health_monitor_create(self, healthmonitor: Any) -> None:
        made = models.health_monitor(healthmonitor)
        self._command("healthmonitor.create", {**self._in_pool(healthmonitor.pool_id), "health_monitor": made})

    def health_monitor_delete(self, healthmonitor: Any) -> None:
        known = {"health_monitor_id": healthmonitor.healthmonitor_id}
        self._command("healthmonitor.delete", {**self._in_pool(healthmonitor.pool_id), **known})

    def health_monitor_update(self, old_healthmonitor: Any, new_healthmonitor: Any) -> None:
        changes = models.changes(new_healthmonitor, models.HEALTH_MONITOR, fixed=("type",))
        known = {"health_monitor_id": old_healthmonitor.healthmonitor_id}
        self._command("healthmonitor.update", {**self._in_pool(old_healthmonitor.pool_id), **known, "changes": changes})

    # -- L7 policies and rules

    def l7policy_create(self, l7policy: Any) -> None:
        self._command(
            "l7policy.create", {**self._on_listener(l7policy.listener_id), "l7_policy": models.l7_policy(l7policy)}
        )

    def l7policy_delete(self, l7policy: Any) -> None:
        self._command(
            "l7policy.delete", {**self._on_listener(l7policy.listener_id), "l7_policy_id": l7policy.l7policy_id}
        )

    def l7policy_update(self, old_l7policy: Any, new_l7policy: Any) -> None:
        changes = models.changes(new_l7policy, models.L7_POLICY, fixed=("listener_id",))
        known = {"l7_policy_id": old_l7policy.l7policy_id, "changes": changes}
        self._command("l7policy.update", {**self._on_listener(old_l7policy.listener_id), **known})

    def l7rule_create(self, l7rule: Any) -> None:
        self._command("l7rule.create", {**self._in_policy(l7rule.l7policy_id), "l7_rule": models.l7_rule(l7rule)})

    def l7rule_delete(self, l7rule: Any) -> None:
        self._command("l7rule.delete", {**self._in_policy(l7rule.l7policy_id), "l7_rule_id": l7rule.l7rule_id})

    def l7rule_update(self, old_l7rule: Any, new_l7rule: Any) -> None:
        known = {"l7_rule_id": old_l7rule.l7rule_id, "changes": models.changes(new_l7rule, models.L7_RULE)}
        self._command("l7rule.update", {**self._in_policy(old_l7rule.l7policy_id), **known})

    # -- flavors and zones

    def get_supported_flavor_metadata(self) -> dict[str, str]:
        return self._capabilities("flavor")

    def validate_flavor(self, flavor_metadata: Mapping[str, Any]) -> None:
        _refuse_unknown("flavor", flavor_metadata, self._capabilities("flavor"))

    def get_supported_availability_zone_metadata(self) -> dict[str, str]:
        return self._capabilities("availability_zone")

    def validate_availability_zone(self, availability_zone_metadata: Mapping[str, Any]) -> None:
        _refuse_unknown("availability zone", availability_zone_metadata, self._capabilities("availability_zone"))

    def _capabilities(self, what: str) -> dict[str, str]:
        found = self._asked(lambda client: client.get(f"{CAPABILITIES}/{what}_capabilities"))
        return {each["name"]: each["description"] for each in found[f"{what}_capabilities"]}

    # -- which load balancer something is in, where octavia-lib does not tell

    def _in_pool(self, pool_id: str) -> Body:
        pool = self._asked(lambda client: client.get(f"{LISTS}/pools/{pool_id}"))["pool"]
        return {"load_balancer_id": pool["loadbalancers"][0]["id"], "pool_id": pool_id}

    def _on_listener(self, listener_id: str) -> Body:
        listener = self._asked(lambda client: client.get(f"{LISTS}/listeners/{listener_id}"))["listener"]
        return {"load_balancer_id": listener["loadbalancers"][0]["id"]}

    def _in_policy(self, policy_id: str) -> Body:
        policy = self._asked(lambda client: client.get(f"{LISTS}/l7policies/{policy_id}"))["l7policy"]
        return {**self._on_listener(policy["listener_id"]), "l7_policy_id": policy_id}

    # -- asking

    def _command(self, kind: str, body: Mapping[str, object]) -> Document:
        return self._asked(lambda client: client.command(kind, body))

    def _asked(self, ask: Callable[[Client], T]) -> T:
        try:
            return ask(self._given or Client(settings.connection()))
        except RefusedError as exc:
            raise _told(exc) from exc
        except settings.NotConfiguredError as exc:
            raise exceptions.DriverError(
                user_fault_string="The provider is not set up.", operator_fault_string=str(exc)
            ) from exc


VIP_NAMES = {"address": "address", "port_id": "port_id", "subnet_id": "subnet_id", "network_id": "network_id"}
ITS_NAMES = {**VIP_NAMES, "address": "ip_address"}
KINDS: Mapping[int, type[Exception]] = {
    400: exceptions.UnsupportedOptionError,
    404: exceptions.NotFound,
    409: exceptions.Conflict,
    501: exceptions.UnsupportedOptionError,
}
"""HTTP status -> what octavia-lib calls it."""


def _told(refused: RefusedError) -> Exception:
    kind = KINDS.get(refused.status, exceptions.DriverError)
    operators = f"Actium answered {refused.status}: {refused}"
    told: Exception = kind(user_fault_string=str(refused), operator_fault_string=operators)
    return told


def _refuse_unknown(what: str, data: Mapping[str, Any], known: Mapping[str, str]) -> None:
    unknown = sorted(data.keys() - known.keys())
    if unknown:
        why = f"'{unknown[0]}' of the {what} is not known; known are {', '.join(known)}."
        raise exceptions.UnsupportedOptionError(user_fault_string=why, operator_fault_string=why)


def _additional(vip: Mapping[str, Any]) -> Body:
    named = {"subnet_id": vip.get("subnet_id"), "address": vip.get("ip_address"), "port_id": vip.get("port_id")}
    return {name: value for name, value in named.items() if value}


def _of(model: Any) -> Body:
    return {"load_balancer_id": model.loadbalancer_id}


def _id(model: Any, name: str) -> str:
    return str(getattr(model, name))
