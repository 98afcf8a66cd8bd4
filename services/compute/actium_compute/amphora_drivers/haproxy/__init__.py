"""The haproxy driver: `model` is what can be said, `translate` says it, `words` keeps user text harmless, `runtime` compares."""

from collections.abc import Mapping

from actium_compute.amphora_drivers.bundle import Bundle, Logs
from actium_compute.amphora_drivers.haproxy import render, runtime, tls
from actium_compute.amphora_drivers.haproxy.translate import translate
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SecretRef


class HaproxyDriver:
    """Implements the promises of `AmphoraDriver`."""

    def secrets_of(self, order: ConfigureAmphora) -> frozenset[SecretRef]:
        return frozenset(need.ref for need in tls.needs(order))

    def render(
        self,
        order: ConfigureAmphora,
        ports: Mapping[PortId, Port],
        secrets: Mapping[SecretRef, Secret],
        *,
        logs: Logs | None = None,
    ) -> Bundle:
        return render.render(order, ports, secrets, logs=logs)

    def runtime_commands(
        self, before: ConfigureAmphora, after: ConfigureAmphora, ports: Mapping[PortId, Port]
    ) -> tuple[str, ...] | None:
        if _ports(before) != _ports(after):
            return None  # interfaces or partners change; and a port of `before` may exist no more
        return runtime.commands(translate(before, ports), translate(after, ports))


def _ports(order: ConfigureAmphora) -> tuple[object, ...]:
    return order.vip_port_id, order.member_ports, order.peers, order.front_end, order.routing_addresses
