"""Settings of compute; `ACTIUM_WORLD_NAME` fills `world_name`, and so on."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from actium_shared.embedded import fabric_namespace
from actium_shared.errors import SettingsError
from actium_shared.settings import Settings

LOG_FORMAT = (
    "{{ project_id }} {{ lb_id }} %f %ci %cp %t %{+Q}r %ST %B %U %[ssl_c_verify] %{+Q}[ssl_c_s_dn] %b %s %Tt %tsc"
)
"""Upstream's, so that what reads those lines reads these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStoreSettings(Settings):
    """
    Where amphorae bring their listeners' logs; nowhere without `log_store_url`, a Swift container's URL.

    In it `{project_id}` stands for the load balancer's project. `log_store_addresses` are the store's ip:port as amphorae
    reach it from their management network, needed where the URL has a name. `log_store_key_file` holds the temporary URL key
    of the container or its account. An object is cut every `log_store_every_s`, tried for `log_store_keep_s`, and deleted
    by the store `log_store_delete_after_s` later, never if that is 0. `log_format` is haproxy's, with upstream's two words.
    """

    log_store_url: str = ""
    log_store_addresses: tuple[str, ...] = ()
    log_store_key_file: Path | None = None
    log_store_ca_file: Path | None = None
    log_store_signature_lifetime_s: float = 14 * 86_400.0
    log_store_every_s: float = 60.0
    log_store_keep_s: float = 600.0
    log_store_delete_after_s: Annotated[int, msgspec.Meta(ge=0)] = 0
    log_format: str = LOG_FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeSettings(LogStoreSettings):
    """
    `relay_addresses` are ip:port as amphorae reach them; `fabric_namespace` empty is the world's usual one.

    `amphora_driver`, if there is one, speaks for all amphorae, whatever their orders name. `check_every_s`: how often it
    is asked what each amphora runs. `stray_grace_s`: so long a machine that nobody ordered may be one whose order comes.

    `gateway_bind` is the ip:port at which amphorae fetch what is for them, `gateway_addresses` the same as they reach it
    (by default alike); without them nobody can. `certificate_renew_before_s` is how long an amphora may be out of reach.
    """

    database_url: str
    world_name: str
    images_folder: Path
    amphorae_folder: Path
    authority_folder: Path
    secrets_folder: Path
    heartbeat_master_key_file: Path
    relay_addresses: tuple[str, ...]
    fabric_namespace: str = ""
    heartbeat_interval_s: float = 1.0
    hosts: tuple[str, ...] = ("host-1", "host-2", "host-3")
    amphora_driver: str = ""
    gateway_bind: str = ""
    gateway_addresses: tuple[str, ...] = ()
    certificate_lifetime_s: float = 30 * 86_400.0
    certificate_renew_before_s: float = 10 * 86_400.0
    check_every_s: float = 180.0
    stray_grace_s: float = 60.0
    world_kind: Literal["embedded", "noop"] = "embedded"
    secret_store: Literal["local", "barbican"] = "local"  # noqa: S105 - a kind of store
    """`barbican`: references to it are read there, by the service user of `OS_*` or clouds.yaml; others here as ever."""

    @property
    def fabric(self) -> str:
        """The namespace in which agents are reached."""
        return self.fabric_namespace or fabric_namespace(self.world_name)

    @property
    def relays(self) -> tuple[tuple[str, int], ...]:
        """
        Where amphorae send their beats.

        Raises:
            SettingsError: one is not ip:port.
        """
        return tuple(endpoint(text, "RELAY_ADDRESSES") for text in self.relay_addresses)

    @property
    def gateway(self) -> tuple[str, int] | None:
        """
        Where amphorae may come.

        Raises:
            SettingsError: it is not ip:port.
        """
        return endpoint(self.gateway_bind, "GATEWAY_BIND") if self.gateway_bind else None

    @property
    def gateways(self) -> tuple[tuple[str, int], ...]:
        """
        The same as amphorae reach it.

        Raises:
            SettingsError: one is not ip:port.
        """
        addresses = self.gateway_addresses or ((self.gateway_bind,) if self.gateway_bind else ())
        return tuple(endpoint(text, "GATEWAY_ADDRESSES") for text in addresses)

    @property
    def certificate_lifetime(self) -> timedelta:
        return timedelta(seconds=self.certificate_lifetime_s)

    @property
    def certificate_renew_before(self) -> timedelta:
        """
        So long before its end a certificate is renewed.

        Raises:
            SettingsError: that is not before its end, or at once after its beginning.
        """
        if not 0 < self.certificate_renew_before_s < self.certificate_lifetime_s:
            raise SettingsError(
                "setting ACTIUM_CERTIFICATE_RENEW_BEFORE_S must be above 0 and below ACTIUM_CERTIFICATE_LIFETIME_S"
                f" ({self.certificate_lifetime_s:g}), not {self.certificate_renew_before_s:g}"
            )
        return timedelta(seconds=self.certificate_renew_before_s)


def endpoint(text: str, setting: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(address)
    except ValueError as exc:
        raise SettingsError(f"setting ACTIUM_{setting}: {text!r} is not ip:port") from exc
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise SettingsError(f"setting ACTIUM_{setting}: {text!r} has no port between 1 and 65535")
    return address, int(port)
