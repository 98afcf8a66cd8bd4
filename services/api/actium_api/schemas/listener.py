"""Listeners as clients send them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from actium_api.faults import Fault, unsupported
from actium_api.schemas.fields import (
    Body,
    Cidrs,
    Create,
    Flag,
    LongText,
    Port,
    ProjectName,
    Tags,
    Text,
    TimeoutMs,
    Uuid,
    Whole,
    changes,
)
from actium_shared.commands.planner import ListenerChanges
from actium_shared.ids import ListenerId, PoolId
from actium_shared.wishes import Listener

Protocol = Literal["HTTP", "HTTPS", "PROMETHEUS", "SCTP", "TCP", "TERMINATED_HTTPS", "UDP"]
SUPPORTED = ("HTTP", "TCP")
TLS = "TERMINATED_HTTPS"
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
TLS_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
NAMES = {
    "timeout_client_data": "timeout_client_data_ms",
    "timeout_member_connect": "timeout_member_connect_ms",
    "timeout_member_data": "timeout_member_data_ms",
    "timeout_tcp_inspect": "timeout_tcp_inspect_ms",
}
"""Fields whose names in wishes carry their unit."""


class ListenerTls(Body):
    """The fields about certificates and ciphers, which nothing serves yet."""

    default_tls_container_ref: Text | None = None
    sni_container_refs: tuple[Text, ...] | None = None
    client_ca_tls_container_ref: Text | None = None
    client_authentication: Literal["MANDATORY", "NONE", "OPTIONAL"] = "NONE"
    client_crl_container_ref: Text | None = None
    tls_ciphers: LongText | None = None
    tls_versions: tuple[Annotated[str, Field(max_length=32)], ...] | None = None
    alpn_protocols: tuple[Literal["h2", "http/1.0", "http/1.1"], ...] | None = None
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
    default_pool: dict[str, Any] | None = None
    l7policies: tuple[dict[str, Any], ...] = ()
    insert_headers: dict[str, Text] = Field(default_factory=dict)
    timeout_client_data: TimeoutMs = 50_000
    timeout_member_connect: TimeoutMs = 5_000
    timeout_member_data: TimeoutMs = 50_000
    timeout_tcp_inspect: TimeoutMs = 0
    tags: Tags = ()
    allowed_cidrs: Cidrs = ()

    def wish(self, listener_id: str, *, default_pool_id: str | None) -> Listener:
        """Give the listener that is wished for."""
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

    def changes(self) -> ListenerChanges:
        """Give what shall change."""
        sent = changes(self, NAMES)
        return ListenerChanges(**{name: value for name, value in sent.items() if name not in ListenerTls.model_fields})


def check(body: NestedListener) -> None:
    """
    Refuse what is invalid by itself, and after that what nothing serves yet.

    Raises:
        Fault: 400, or 501.
    """
    _check_headers(body.protocol, body.insert_headers)
    _check_tls(body, body.protocol)
    if body.protocol not in SUPPORTED:
        raise unsupported(f"listener protocol {body.protocol}")
    _refuse_tls(body)


def check_change(body: ListenerPut, *, protocol: str) -> None:
    """
    Like `check`, for a change of a listener that has `protocol`.

    Raises:
        Fault: 400, or 501.
    """
    _check_headers(protocol, body.insert_headers)
    _check_tls(body, protocol)
    for name, allowed in (("tls_versions", TLS_VERSIONS), ("alpn_protocols", None)):
        _check_list(body, name, allowed)
    _refuse_tls(body)


def _check_headers(protocol: str, headers: Mapping[str, str]) -> None:
    if headers and protocol not in L7:
        raise Fault(400, f"insert_headers is for listeners of protocol HTTP and TERMINATED_HTTPS, not {protocol}.")
    known = HEADERS | TLS_HEADERS if protocol == TLS else HEADERS
    unknown = sorted({*headers} - known)
    if unknown:
        raise Fault(
            400, f"insert_headers cannot hold {unknown[0]} on a {protocol} listener: known are {sorted(known)}."
        )


def _check_tls(body: ListenerTls, protocol: str) -> None:
    terminates = protocol == TLS
    has_certificate = bool(body.default_tls_container_ref or body.sni_container_refs)
    if terminates and not has_certificate:
        raise Fault(400, "default_tls_container_ref or sni_container_refs is needed.")
    if has_certificate and not terminates and protocol != "PROMETHEUS":
        raise Fault(400, f"default_tls_container_ref and sni_container_refs are not for {protocol} listeners.")
    if body.client_authentication != "NONE" and not body.client_ca_tls_container_ref:
        raise Fault(400, "client_authentication needs client_ca_tls_container_ref.")
    if body.client_ca_tls_container_ref and not has_certificate:
        raise Fault(400, "client_ca_tls_container_ref needs default_tls_container_ref or sni_container_refs.")
    if body.client_crl_container_ref and not body.client_ca_tls_container_ref:
        raise Fault(400, "client_crl_container_ref needs client_ca_tls_container_ref.")
    if body.hsts_max_age is not None and not terminates:
        raise Fault(400, f"hsts_max_age is for TERMINATED_HTTPS listeners, not {protocol}.")
    if (body.hsts_include_subdomains or body.hsts_preload) and body.hsts_max_age is None:
        raise Fault(400, "hsts_include_subdomains and hsts_preload need hsts_max_age.")
    if terminates:
        for name, allowed in (("tls_versions", TLS_VERSIONS), ("alpn_protocols", None)):
            _check_list(body, name, allowed)


def _check_list(body: ListenerTls, name: str, allowed: tuple[str, ...] | None) -> None:
    values = getattr(body, name)
    if values is None:
        return
    wrong = [] if allowed is None else [value for value in values if value not in allowed]
    if wrong or not values:
        raise Fault(400, f"{name} is {list(values)}: it must name at least one, and each one of {allowed}.")


def _refuse_tls(body: ListenerTls) -> None:
    for name in ListenerTls.model_fields:
        if getattr(body, name) not in (None, (), False, "NONE"):
            raise unsupported(name)
