"""The driver for amphorae with nothing in them: every wish becomes the same empty configuration, so none is refused."""

from collections.abc import Mapping

from actium_compute.amphora_drivers.bundle import Bundle, Logs, digest_of
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SecretRef

DIGEST = digest_of({}, ())


class NoopDriver:
    """`AmphoraDriver` that renders nothing, and needs no secret for it."""

    def secrets_of(self, order: ConfigureAmphora) -> frozenset[SecretRef]:  # noqa: ARG002
        return frozenset()

    def render(
        self,
        order: ConfigureAmphora,
        ports: Mapping[PortId, Port],  # noqa: ARG002
        secrets: Mapping[SecretRef, Secret],  # noqa: ARG002
        *,
        logs: Logs | None = None,  # noqa: ARG002
    ) -> Bundle:
        return Bundle(bundle=order.bundle, epoch=order.epoch, digest=DIGEST, files={}, interfaces=())

    def runtime_commands(
        self,
        before: ConfigureAmphora,  # noqa: ARG002
        after: ConfigureAmphora,  # noqa: ARG002
        ports: Mapping[PortId, Port],  # noqa: ARG002
    ) -> tuple[str, ...] | None:
        return None
