"""Listeners as clients send them."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from actium_api.faults import Fault
from actium_api.schemas import tls
from actium_api.schemas.fields import (
    Body,
    Cidrs,
    Create,
    Flag,
    Port,
    ProjectName,
    Tags,
    Text,
    TimeoutMs,
    Uuid,
    Whole,
    changes,
)
from actium_api.schemas.l7_policy import NestedL7Policy
from actium_api.schemas.pool import NestedPool
from actium_api.schemas.tls import Alpn, Ciphers, Reference, Site, Tls, Versions
from actium_api.settings import ApiSettings
from actium_shared.commands.planner import ListenerChanges
from actium_shared.ids import ListenerId, PoolId, SecretRef
from actium_shared.wishes import Listener

Protocol = Literal["HTTP", "HTTPS", "PROMETHEUS", "SCTP", "TCP", "TERMINATED_HTTPS", "UDP"]
TLS, PROMETHEUS = "TERMINATED_HTTPS", "PROMETHEUS"
L7 = ("HTTP", TLS)
HEADERS = frozenset(
    ("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-IP", "X-Client-IP", "X-Real-IP")
)
TLS_HEADERS = frozenset(
    f"X-SSL-{name}"
    for name in (
        "Client-Verify",
        "Client-Has-Cert",
        "Client-DN",
        "Client-CN",
        "Issuer",
        "Client-SHA1",
        "Client-Not-Before",
        "Client-Not-After",
    )
)
NAMES = {
    "timeout_client_data": "timeout_client_data_ms",
    "timeout_member_connect": "timeout_member_connect_ms",
    "timeout_member_data": "timeout_member_data_ms",
    "timeout_tcp_inspect": "timeout_tcp_inspect_ms",
    "hsts_max_age": "hsts_max_age_s",
}
"""Fields whose names in wishes carry their unit."""


SNI_MOST = 128
"""Each one is read and checked before the listener is decided on."""


class ListenerTls(Body):
    """The fields about certificates and ciphers."""

    default_tls_container_ref: Reference | None = None
    sni_container_refs: Annotated[tuple[Reference, ...], Field(max_length=SNI_MOST)] = ()
    client_ca_tls_container_ref: Reference | None = None
    client_authentication: Literal["MANDATORY", "NONE", "OPTIONAL"] = "NONE"
    client_crl_container_ref: Reference | None = None
    tls_ciphers: Ciphers | None = None
    tls_versions: Versions | None = None
    alpn_protocols: Alpn | None = None
    hsts_max_age: Annotated[Whole, Field(ge=0)] | None = None
    hsts_include_subdomains: Flag = False
    hsts_preload: Flag = False


class NestedListener(ListenerTls, Create):
    """A listener in a load balancer's create."""

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    protocol: Protocol
    protocol_port: Port
    connection_limit: Annotated[Whole, Field(ge=-1)] = -1
    default_pool_id: Uuid | None = None
    default_pool: NestedPool | None = None
    l7policies: tuple[NestedL7Policy, ...] = ()
    insert_headers: dict[str, Text] = Field(default_factory=dict)
    timeout_client_data: TimeoutMs = 50_000
    timeout_member_connect: TimeoutMs = 5_000
    timeout_member_data: TimeoutMs = 50_000
    timeout_tcp_inspect: TimeoutMs = 0
    tags: Tags = ()
    allowed_cidrs: Cidrs = ()

    def wish(self, listener_id: str, *, default_pool_id: str | None, site: Site) -> Listener:
        """Give the listener that is wished for; one that terminates TLS has the site's defaults."""
        sent = Tls(ciphers=self.tls_ciphers, versions=self.tls_versions or (), alpn=self.alpn_protocols or ())
        settled = site.fill(self) if self.protocol == TLS else sent
        return Listener(
            id=ListenerId(listener_id),
            protocol=self.protocol,
            protocol_port=self.protocol_port,
            name=self.name,
            description=self.description,
            admin_state_up=self.admin_state_up,
            default_pool_id=None if default_pool_id is None else PoolId(default_pool_id),
            connection_limit=self.connection_limit,
            timeout_client_data_ms=self.timeout_client_data,
            timeout_member_connect_ms=self.timeout_member_connect,
            timeout_member_data_ms=self.timeout_member_data,
            timeout_tcp_inspect_ms=self.timeout_tcp_inspect,
            insert_headers=self.insert_headers,
            allowed_cidrs=self.allowed_cidrs,
            tags=self.tags,
            default_tls_container_ref=_secret(self.default_tls_container_ref),
            sni_container_refs=_secrets(self.sni_container_refs),
            client_ca_tls_container_ref=_secret(self.client_ca_tls_container_ref),
            client_authentication=self.client_authentication,
            client_crl_container_ref=_secret(self.client_crl_container_ref),
            tls_ciphers=settled.ciphers,
            tls_versions=settled.versions,
            alpn_protocols=settled.alpn,
            hsts_max_age_s=self.hsts_max_age,
            hsts_include_subdomains=self.hsts_include_subdomains,
            hsts_preload=self.hsts_preload,
        )


class ListenerPost(NestedListener):
    """A listener on a load balancer that exists."""

    loadbalancer_id: Uuid
    project_id: ProjectName | None = None
    tenant_id: ProjectName | None = None


class ListenerPut(ListenerTls):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {
        "name": "",
        "description": "",
        "admin_state_up": False,
        "connection_limit": -1,
        "insert_headers": {},
        "timeout_client_data": 50_000,
        "timeout_member_connect": 5_000,
        "timeout_member_data": 50_000,
        "timeout_tcp_inspect": 0,
        "tags": (),
        "sni_container_refs": (),
        "client_authentication": "NONE",
        "allowed_cidrs": (),
        "hsts_include_subdomains": False,
        "hsts_preload": False,
    }

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    connection_limit: Annotated[Whole, Field(ge=-1)] = -1
    default_pool_id: Uuid | None = None
    insert_headers: dict[str, Text] = Field(default_factory=dict)
    timeout_client_data: TimeoutMs = 50_000
    timeout_member_connect: TimeoutMs = 5_000
    timeout_member_data: TimeoutMs = 50_000
    timeout_tcp_inspect: TimeoutMs = 0
    tags: Tags = ()
    allowed_cidrs: Cidrs = ()

    def changes(self, site: Site) -> ListenerChanges:
        """Give what shall change; null for ciphers, versions and protocols means the site's defaults."""
        settled = site.fill(self)
        made = {
            "tls_ciphers": lambda _: settled.ciphers,
            "tls_versions": lambda _: settled.versions,
            "alpn_protocols": lambda _: settled.alpn,
        }
        return ListenerChanges(**changes(self, NAMES, made))


def check(body: NestedListener, settings: ApiSettings) -> None:
    """
    Refuse what is invalid by itself.

    Raises:
        Fault: 400.
    """
    if body.protocol == TLS and not settings.allow_tls_terminated_listeners:
        raise Fault(400, "protocol TERMINATED_HTTPS is disabled by the administrator.")
    if body.protocol == PROMETHEUS:
        _check_prometheus(body, settings)
    _check_headers(body.protocol, body.insert_headers)
    _check_certificates(body)
    _check_hsts(body)
    site = tls.listeners(settings)
    if body.protocol == TLS:
        site.check(body)
    else:
        site.check_ciphers(body.tls_ciphers)


def check_change(body: ListenerPut, *, protocol: str, settings: ApiSettings) -> None:
    """
    Like `check`, for a change of a listener that has `protocol`; what depends on stored fields too is the planner's.

    Raises:
        Fault: 400.
    """
    _check_headers(protocol, body.insert_headers)
    if (body.default_tls_container_ref or body.sni_container_refs) and protocol not in (TLS, PROMETHEUS):
        raise _no_certificates(protocol)
    if body.hsts_max_age is not None and protocol != TLS:
        raise _no_hsts(protocol)
    tls.listeners(settings).check(body)


def _check_prometheus(body: NestedListener, settings: ApiSettings) -> None:
    if not settings.allow_prometheus_listeners:
        raise Fault(400, "protocol PROMETHEUS is disabled by the administrator.")
    for name in ("default_pool_id", "default_pool", "l7policies"):
        if getattr(body, name):
            raise Fault(400, f"{name} cannot be given for a PROMETHEUS listener: it answers by itself.")


def _check_headers(protocol: str, headers: Mapping[str, str]) -> None:
    if headers and protocol not in L7:
        raise Fault(400, f"insert_headers is for listeners of protocol HTTP and TERMINATED_HTTPS, not {protocol}.")
    known = HEADERS | TLS_HEADERS if protocol == TLS else HEADERS
    unknown = sorted({*headers} - known)
    if unknown:
        raise Fault(
            400, f"insert_headers cannot hold {unknown[0]} on a {protocol} listener: known are {sorted(known)}."
        )


def _check_certificates(body: NestedListener) -> None:
    has_certificate = bool(body.default_tls_container_ref or body.sni_container_refs)
    if body.protocol == TLS and not has_certificate:
        raise Fault(400, "default_tls_container_ref or sni_container_refs is needed for TERMINATED_HTTPS listeners.")
    if has_certificate and body.protocol not in (TLS, PROMETHEUS):
        raise _no_certificates(body.protocol)
    if body.client_authentication != "NONE" and not body.client_ca_tls_container_ref:
        raise Fault(400, "client_authentication needs client_ca_tls_container_ref.")
    if body.client_ca_tls_container_ref and not has_certificate:
        raise Fault(400, "client_ca_tls_container_ref needs default_tls_container_ref or sni_container_refs.")
    if body.client_crl_container_ref and not body.client_ca_tls_container_ref:
        raise Fault(400, "client_crl_container_ref needs client_ca_tls_container_ref.")


def _check_hsts(body: NestedListener) -> None:
    if body.hsts_max_age is not None and body.protocol != TLS:
        raise _no_hsts(body.protocol)
    if (body.hsts_include_subdomains or body.hsts_preload) and body.hsts_max_age is None:
        raise Fault(400, "hsts_include_subdomains and hsts_preload need hsts_max_age.")


def _no_certificates(protocol: str) -> Fault:
    return Fault(400, f"default_tls_container_ref and sni_container_refs are not for {protocol} listeners.")


def _no_hsts(protocol: str) -> Fault:
    return Fault(400, f"hsts_max_age is for TERMINATED_HTTPS listeners, not {protocol}.")


def _secret(reference: str | None) -> SecretRef | None:
    return None if reference is None else SecretRef(reference)


def _secrets(references: tuple[str, ...]) -> tuple[SecretRef, ...]:
    return tuple(SecretRef(each) for each in references)
