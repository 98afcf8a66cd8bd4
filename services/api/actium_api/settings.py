"""What the api service is told at start."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from actium_shared.provider_options import ProviderSettings

CIPHERS = (
    "TLS_AES_128_GCM_SHA256:"
    "TLS_AES_256_GCM_SHA384:"
    "TLS_CHACHA20_POLY1305_SHA256:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:"
    "DHE-RSA-AES256-GCM-SHA384:"
    "DHE-RSA-CHACHA20-POLY1305"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings(ProviderSettings):
    """`ACTIUM_LISTEN_PORT=9876` and so on; see `Settings`."""

    listen_host: str = "127.0.0.1"
    listen_port: int = 9876
    database_url: str = "sqlite:///api.sqlite"
    facade: bool = False
    """Answer the read-only identity and network calls of the usual clients: for worlds that have neither service."""

    absent_services: tuple[str, ...] = ()
    """Those of ours that this world does without: nobody misses them."""

    default_provider: str = "actium"
    driver_timeout_s: float = 20.0
    """So long another vendor's driver may take for a call."""

    driver_agent_folder: Path | None = None
    """Where the sockets are by which other vendors' drivers report; without it there are none."""

    driver_agent_mode: str = "0660"
    """Who may open those sockets: their mode in octal."""

    default_project_id: str = "8f8a51f1b5e04f5d9d1a6c0a5f0e7c11"
    """Whose request it is when neither a token nor `X-Project-Id` says so."""

    page_limit: int = 1000
    """No page of a list is longer; the same bound as upstream's default."""

    max_body_bytes: int = 4 * 1024 * 1024
    """A wish has to fit into one message of the bus (8 MiB), and its commit holds it twice."""

    default_listener_ciphers: str = CIPHERS
    default_listener_tls_versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    default_listener_alpn_protocols: tuple[str, ...] = ("h2", "http/1.1", "http/1.0")
    default_pool_ciphers: str = CIPHERS
    default_pool_tls_versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    default_pool_alpn_protocols: tuple[str, ...] = ("h2", "http/1.1", "http/1.0")
    minimum_tls_version: str = ""
    """No listener or pool may offer an older one; empty: every version can be had."""

    tls_cipher_prohibit_list: tuple[str, ...] = ()
    reserved_ips: tuple[str, ...] = ("169.254.169.254",)
    """No member may have one of these: the cloud's metadata service must not be reached through a load balancer."""

    allow_tls_terminated_listeners: bool = True
    allow_prometheus_listeners: bool = True
    allow_ping_health_monitors: bool = True
    allow_vip_network_id: bool = True
    allow_vip_subnet_id: bool = True
    allow_vip_port_id: bool = True
    udp_connect_min_interval_health_monitor: int = 3
    """The least `delay` of a UDP-CONNECT monitor, in seconds."""

    auth: Literal["none", "keystone"] = "none"
    """`keystone`: tokens are shown to the identity service by a service user of ours, given as `OS_*` or in clouds.yaml."""

    www_authenticate_uri: str = ""
    """Where those without a token are sent; empty: to where our service user logs in."""

    token_kept_s: float = 60.0
    """So long a token is taken without asking again: a revoked one may still be used meanwhile."""

    token_kept_count: int = 10_000

    policy_file: Path | None = None
    """Rules in place of the defaults, for `keystone`."""

    policy_load_balancer_roles: bool = False
    """Let the roles `load-balancer_member` and its kin in, beside reader, member and admin."""

    operator_key_file: Path | None = None
    """Who sends its content as `X-Actium-Operator-Key` is an administrator without a token: the command line on this host."""

    secret_store: Literal["local", "barbican"] = "local"  # noqa: S105 - a kind of store
    """As compute's: with `barbican` and `keystone`, tenants can name only what they can read there themselves."""

    healthcheck: bool = False
    """Answer `/healthcheck`, to anyone."""
