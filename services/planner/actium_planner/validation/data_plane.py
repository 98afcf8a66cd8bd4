"""
What our own data plane cannot do, though upstream's API takes it: refused by name, as a driver would (501).

Asked only where our provider serves: another vendor's driver says itself what it cannot do. So all such limits are
here, and the other modules refuse what holds whoever serves.
"""

from actium_planner.validation import regular_expressions
from actium_planner.validation.addresses import families, parsed
from actium_planner.validation.listener import HEADERS_OF, TERMINATED
from actium_planner.validation.refusals import Refusals, unsupported
from actium_planner.validation.tls import HasTls
from actium_shared.wishes import SRIOV, HealthMonitor, L7Rule, Listener, LoadBalancer, Member, Pool

SCTP = "SCTP"
NO_SCTP = "SCTP is not offered: the kernels that amphorae run on are built without it."
NO_SSLV3 = "tls_versions: SSLv3 alone is not offered, as no TLS library of amphorae speaks it; TLSv1 is the oldest."
READS_HTTP = frozenset(HEADERS_OF)
COOKIES = frozenset({"HTTP_COOKIE", "APP_COOKIE"})


def of_load_balancer(balancer: LoadBalancer) -> Refusals:
    if balancer.vip_vnic_type == SRIOV:
        detail = f"Provider '{balancer.provider}' does not support a requested option: the flavor asks for sriov_vip"
        yield unsupported(f"{detail}, which is not yet offered; a flavor without it is possible.", field="flavor_id")


def of_listener(listener: Listener) -> Refusals:
    if listener.protocol == SCTP:
        yield unsupported(f"protocol {NO_SCTP} TCP and UDP are possible.", field="protocol")
    if listener.protocol == TERMINATED:
        yield from _tls(listener)


def of_default_pool(pool: Pool, listener: Listener) -> Refusals:
    persistence = pool.session_persistence
    if persistence is not None and persistence.type in COOKIES and listener.protocol not in READS_HTTP:
        yield unsupported(
            f"A listener of protocol {listener.protocol} reads no cookies, so it cannot use pool {pool.id} with "
            f"session_persistence of type {persistence.type}; SOURCE_IP is possible.",
            field="session_persistence.type",
        )


def of_pool(pool: Pool) -> Refusals:
    if pool.protocol == SCTP:
        yield unsupported(f"protocol {NO_SCTP} TCP and UDP are possible.", field="protocol")
    if pool.tls_enabled:
        yield from _tls(pool)


def _tls(value: HasTls) -> Refusals:
    if set(value.tls_versions) == {"SSLv3"}:
        yield unsupported(NO_SSLV3, field="tls_versions")


def of_member(member: Member, pool: Pool, balancer: LoadBalancer) -> Refusals:
    if member.vnic_type == SRIOV:
        detail = "request_sriov is not yet offered, whatever the flavor allows: amphorae have no SR-IOV ports."
        yield unsupported(f"{detail} Leave it out.", field="request_sriov")
    if pool.protocol == "UDP":
        yield from _family(member, balancer)


def _family(member: Member, balancer: LoadBalancer) -> Refusals:
    """Refuse what datagrams cannot reach: they are passed on as they are, not spoken anew."""
    address, wanted = parsed(member.address), families(balancer)
    if address is not None and address.version not in wanted:
        detail = f"Member address {member.address} is IPv{address.version}, and no address of the load balancer is."
        possible = " or ".join(f"IPv{version}" for version in sorted(wanted))
        yield unsupported(f"{detail} UDP cannot pass from one to the other: use {possible}.", field="address")


def of_health_monitor(monitor: HealthMonitor) -> Refusals:
    if monitor.type == SCTP:
        yield unsupported(f"type {NO_SCTP} UDP-CONNECT, TCP and HTTP are possible.", field="type")


def of_l7_policy(listener: Listener) -> Refusals:
    if listener.protocol not in READS_HTTP:
        detail = f"L7 policies need a listener of protocol HTTP or {TERMINATED}, not {listener.protocol}."
        yield unsupported(detail, field="listener_id")


def of_l7_rule(rule: L7Rule) -> Refusals:
    wrong = regular_expressions.why_not(rule.value) if rule.compare_type == "REGEX" else None
    if wrong is not None:
        detail = f"value: the regular expression is none that amphorae can read (PCRE2): {wrong}."
        yield unsupported(detail, field="value")
