"""The haproxy driver: `model` is what can be said, `translate` says it, `words` keeps user text harmless, `runtime` compares."""

from collections.abc import Mapping

from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.amphora_drivers.haproxy import render, runtime
from actium_compute.amphora_drivers.haproxy.translate import translate
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId


class HaproxyDriver:
    """Implements the promises of `AmphoraDriver`."""

    def render(self, order: ConfigureAmphora, ports: Mapping[PortId, Port]) -> Bundle:
        return render.render(order, ports)

    def runtime_commands(
        self, before: ConfigureAmphora, after: ConfigureAmphora, ports: Mapping[PortId, Port]
    ) -> tuple[str, ...] | None:
        if (before.vip_port_id, before.member_ports) != (after.vip_port_id, after.member_ports):
            return None  # interfaces change; and a port of `before` may exist no more
        return runtime.commands(translate(before, ports), translate(after, ports))
