"""Pools as clients send them."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from actium_api.faults import Fault
from actium_api.schemas import health_monitor, member, tls
from actium_api.schemas.fields import Body, Create, Flag, ProjectName, Tags, Text, Uuid, Whole, changes
from actium_api.schemas.health_monitor import NestedHealthMonitor
from actium_api.schemas.member import NestedMember
from actium_api.schemas.tls import Alpn, Ciphers, Reference, Site, Tls, Versions
from actium_api.settings import ApiSettings
from actium_shared.commands.planner import PoolChanges
from actium_shared.ids import Ids, PoolId, SecretRef
from actium_shared.wishes import Pool, PoolWish, SessionPersistence

Protocol = Literal["HTTP", "HTTPS", "PROXY", "PROXYV2", "SCTP", "TCP", "UDP"]
Algorithm = Literal["LEAST_CONNECTIONS", "ROUND_ROBIN", "SOURCE_IP", "SOURCE_IP_PORT"]
PersistenceType = Literal["SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"]
DATAGRAM = ("UDP", "SCTP")
_COOKIE = re.compile(r"[!-+\--:<-\[\]-~]+", re.ASCII)


def _cookie(value: str) -> str:
    if not _COOKIE.fullmatch(value):
        raise ValueError("Value should be visible ASCII characters, without comma, semicolon and backslash")
    return value


def _netmask(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("Value should be a netmask, written as an IP address") from None
    return value


class Persistence(Create):
    type: PersistenceType
    cookie_name: Annotated[Text, AfterValidator(_cookie)] | None = None
    persistence_timeout: Annotated[Whole, Field(ge=0)] | None = None
    persistence_granularity: Annotated[Text, AfterValidator(_netmask)] | None = None

    def wish(self) -> SessionPersistence:
        """Give the persistence that is wished for."""
        return SessionPersistence(
            type=self.type,
            cookie_name=self.cookie_name,
            persistence_timeout_s=self.persistence_timeout,
            persistence_granularity=self.persistence_granularity,
        )


class PoolTls(Body):
    """The fields about TLS towards members."""

    tls_container_ref: Reference | None = None
    ca_tls_container_ref: Reference | None = None
    crl_container_ref: Reference | None = None
    tls_enabled: Flag = False
    tls_ciphers: Ciphers | None = None
    tls_versions: Versions | None = None
    alpn_protocols: Alpn | None = None


class NestedPool(PoolTls, Create):
    """A pool in a load balancer's create; one that holds a name alone stands for another one of that name."""

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    protocol: Protocol | None = None
    lb_algorithm: Algorithm | None = None
    session_persistence: Persistence | None = None
    members: tuple[NestedMember, ...] = ()
    healthmonitor: NestedHealthMonitor | None = None
    tags: Tags = ()

    @property
    def is_reference(self) -> bool:
        return not self.model_fields_set - {"name", "admin_state_up", "tls_enabled"}

    def wish(self, ids: Ids, site: Site) -> PoolWish:
        """Give the pool that is wished for, with what is in it."""
        return PoolWish(
            pool=self.pool(ids.new(), site),
            members=tuple(member.wish(ids.new()) for member in self.members),
            health_monitor=None if self.healthmonitor is None else self.healthmonitor.wish(ids.new()),
        )

    def pool(self, pool_id: str, site: Site) -> Pool:
        """Give the pool alone; one that does TLS has the site's defaults."""
        if self.protocol is None or self.lb_algorithm is None:
            raise Fault(400, f"Pool '{self.name}' needs protocol and lb_algorithm.")
        sent = Tls(ciphers=self.tls_ciphers, versions=self.tls_versions or (), alpn=self.alpn_protocols or ())
        settled = site.fill(self) if self.tls_enabled else sent
        return Pool(
            id=PoolId(pool_id),
            protocol=self.protocol,
            lb_algorithm=self.lb_algorithm,
            name=self.name,
            description=self.description,
            admin_state_up=self.admin_state_up,
            session_persistence=None if self.session_persistence is None else self.session_persistence.wish(),
            tags=self.tags,
            tls_enabled=self.tls_enabled,
            tls_container_ref=_secret(self.tls_container_ref),
            ca_tls_container_ref=_secret(self.ca_tls_container_ref),
            crl_container_ref=_secret(self.crl_container_ref),
            tls_ciphers=settled.ciphers,
            tls_versions=settled.versions,
            alpn_protocols=settled.alpn,
        )


class PoolPost(NestedPool):
    """A pool on a load balancer that exists."""

    protocol: Protocol
    lb_algorithm: Algorithm
    listener_id: Uuid | None = None
    loadbalancer_id: Uuid | None = None
    project_id: ProjectName | None = None
    tenant_id: ProjectName | None = None


class PoolPut(PoolTls):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {"name": "", "description": "", "admin_state_up": False, "tags": ()}

    name: Text = ""
    description: Text = ""
    admin_state_up: Flag = True
    lb_algorithm: Algorithm = "ROUND_ROBIN"
    session_persistence: dict[str, Any] | None = None
    tags: Tags = ()

    def changes(self, persistence: Persistence | None, *, stored: Mapping[str, Any], site: Site) -> PoolChanges:
        """
        Give what shall change.

        `persistence` is the sent one, made whole with what is stored. Null for ciphers and versions means the site's
        defaults; a pool that begins to do TLS has them too where it has none of its own.
        """
        settled = site.fill(self)
        made: dict[str, Any] = {
            "session_persistence": lambda _: None if persistence is None else persistence.wish(),
            "tls_ciphers": lambda _: settled.ciphers,
            "tls_versions": lambda _: settled.versions,
            "alpn_protocols": lambda sent: sent or (),
        }
        whole = changes(self, {}, made)
        if self.tls_enabled:
            defaults = {
                "tls_ciphers": settled.ciphers,
                "tls_versions": settled.versions,
                "alpn_protocols": settled.alpn,
            }
            whole = {name: value for name, value in defaults.items() if stored[name] is None} | whole
        return PoolChanges(**whole)


def check(body: NestedPool, settings: ApiSettings) -> None:
    """
    Refuse what is invalid by itself, with all that is in it.

    Raises:
        Fault: 400.
    """
    for each in body.members:
        member.check(each, settings)
    if body.session_persistence is not None and body.protocol is not None:
        check_persistence(body.session_persistence, protocol=body.protocol)
    if body.crl_container_ref and not body.ca_tls_container_ref:
        raise Fault(400, "crl_container_ref needs ca_tls_container_ref.")
    if body.healthmonitor is not None:
        health_monitor.check(body.healthmonitor, settings)
    site = tls.pools(settings)
    if body.tls_enabled:
        site.check(body)
    else:
        site.check_ciphers(body.tls_ciphers)


def check_change(body: PoolPut, settings: ApiSettings) -> None:
    """
    Like `check`, for a change; what depends on stored fields too is the planner's.

    Raises:
        Fault: 400.
    """
    tls.pools(settings).check(body)


def check_persistence(body: Persistence, *, protocol: str) -> None:
    """
    Refuse a persistence that does not go with itself or the protocol.

    Raises:
        Fault: 400.
    """
    if (body.type == "APP_COOKIE") != (body.cookie_name is not None):
        raise Fault(400, "cookie_name is needed for session_persistence of type APP_COOKIE, and is for no other.")
    if protocol in DATAGRAM and body.type != "SOURCE_IP":
        raise Fault(400, f"session_persistence of {protocol} pools must be of type SOURCE_IP, and is {body.type}.")
    timing = body.persistence_timeout is not None or body.persistence_granularity is not None
    if timing and protocol not in DATAGRAM:
        raise Fault(400, "persistence_timeout and persistence_granularity are for UDP and SCTP pools.")


def _secret(reference: str | None) -> SecretRef | None:
    return None if reference is None else SecretRef(reference)
