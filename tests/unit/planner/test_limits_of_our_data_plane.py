"""What our data plane cannot do: refused by name where our provider serves, left to the driver where another's does."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

import builders as a
from actium_planner.deciders import load_balancer
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.codec import CODEC
from actium_shared.commands import planner as commands
from actium_shared.ids import SecretRef
from actium_shared.message import Reason, Rejected
from actium_shared.proposals import ObjectStatus
from actium_shared.provider_options import PROVIDERS
from actium_shared.wishes import SRIOV, L7PolicyWish, PoolWish, SessionPersistence
from unit.planner.lives import NOW, after, types, why

ACME = "acme"
ALLOWING = {"allow_member_sriov": True}
SSLV3 = ("SSLv3",)
OF_PYTHON = r"\N{DIGIT ONE}"
COOKIES = SessionPersistence(type="HTTP_COOKIE")
TERMINATED: dict[str, Any] = {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": SecretRef("certificate")}
LB_ACTIVE = ObjectStatus(kind="loadbalancer", id=a.LB, provisioning_status="ACTIVE")
Wish = commands.LoadBalancerCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A wish that goes beyond what our amphorae can, the field that it does so by, and what is there before it."""

    wish: Wish
    names: str
    given: tuple[Wish, ...] = ()
    flavor: dict[str, Any] = field(default_factory=dict)


def update_listener(**changes: Any) -> Wish:
    return commands.UpdateListener(
        load_balancer_id=a.LB, listener_id=a.LISTENER, changes=commands.ListenerChanges(**changes)
    )


def update_pool(**changes: Any) -> Wish:
    return commands.UpdatePool(load_balancer_id=a.LB, pool_id=a.POOL, changes=commands.PoolChanges(**changes))


def batch(**fields: Any) -> Wish:
    member = commands.BatchMember(member=a.member(**fields))
    return commands.ReplaceMembers(load_balancer_id=a.LB, pool_id=a.POOL, members=(member,))


TCP, UDP_POOL = a.create_listener(protocol="TCP"), a.create_pool(protocol="UDP")
LIMITS = {
    "SCTP listener": Limit(wish=a.create_listener(protocol="SCTP"), names="protocol"),
    "SCTP pool": Limit(wish=a.create_pool(protocol="SCTP"), names="protocol"),
    "SCTP monitor": Limit(given=(UDP_POOL,), wish=a.create_health_monitor(type="SCTP", delay_s=3), names="type"),
    "L7 policy of TCP": Limit(given=(TCP,), wish=a.create_l7_policy(), names="listener_id"),
    "UDP member of another family": Limit(
        given=(UDP_POOL,), wish=a.create_member(address="2001:db8::1"), names="address"
    ),
    "UDP members of another family": Limit(given=(UDP_POOL,), wish=batch(address="2001:db8::1"), names="address"),
    "SSLv3 alone": Limit(wish=a.create_listener(**TERMINATED, tls_versions=SSLV3), names="tls_versions"),
    "SSLv3 alone from now on": Limit(
        given=(a.create_listener(**TERMINATED),), wish=update_listener(tls_versions=SSLV3), names="tls_versions"
    ),
    "SSLv3 alone to members": Limit(wish=a.create_pool(tls_enabled=True, tls_versions=SSLV3), names="tls_versions"),
    "SSLv3 alone to members from now on": Limit(
        given=(a.create_pool(tls_versions=SSLV3),), wish=update_pool(tls_enabled=True), names="tls_versions"
    ),
    "cookies of TCP": Limit(
        given=(a.create_pool(session_persistence=COOKIES),),
        wish=a.create_listener(protocol="TCP", default_pool_id=a.POOL),
        names="session_persistence.type",
    ),
    "cookies of TCP from now on": Limit(
        given=(TCP, a.create_pool(listener_id=a.LISTENER)),
        wish=update_pool(session_persistence=COOKIES),
        names="session_persistence.type",
    ),
    "SR-IOV member": Limit(
        given=(a.create_pool(),), wish=a.create_member(vnic_type=SRIOV), names="request_sriov", flavor=ALLOWING
    ),
    "SR-IOV members": Limit(
        given=(a.create_pool(),), wish=batch(vnic_type=SRIOV), names="request_sriov", flavor=ALLOWING
    ),
}
RULES = (a.create_listener(), a.create_l7_policy())
LIMITS |= {
    "regular expression of Python's alone": Limit(
        given=RULES, wish=a.create_l7_rule(compare_type="REGEX", value=OF_PYTHON), names="value"
    ),
    "regular expression of Python's alone from now on": Limit(
        given=(*RULES, a.create_l7_rule(compare_type="REGEX", value="^/a")),
        wish=commands.UpdateL7Rule(
            load_balancer_id=a.LB,
            l7_policy_id=a.POLICY,
            l7_rule_id=a.RULE,
            changes=commands.L7RuleChanges(value=OF_PYTHON),
        ),
        names="value",
    ),
}
SCTP_POOL = PoolWish(
    pool=a.pool(protocol="SCTP"), members=(a.member(),), health_monitor=a.health_monitor(type="SCTP", delay_s=3)
)
TREES = {
    "listeners": ({"listeners": (a.listener(protocol="SCTP"),)}, "protocol"),
    "pools": ({"pools": (SCTP_POOL,)}, "protocol"),
    "policies": (
        {"listeners": (a.listener(protocol="TCP"),), "l7_policies": (L7PolicyWish(policy=a.l7_policy()),)},
        "listener_id",
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_our_provider_refuses_what_amphorae_cannot_do_and_names_the_field(limit: Limit, provider: str) -> None:
    state = after(*limit.given, provider=provider, flavor=limit.flavor)
    assert why(limit.wish, state) == (Reason.UNSUPPORTED, limit.names)


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_another_vendors_driver_is_asked_and_may_take_it(limit: Limit) -> None:
    state = at_acme(LoadBalancerState(), a.create_load_balancer(provider=ACME, flavor=limit.flavor), *limit.given)
    before = state.generation
    assert at_acme(state, limit.wish).generation == before + 1


@pytest.mark.parametrize(("children", "names"), TREES.values(), ids=TREES)
def test_whole_trees_are_held_against_the_same_limits(children: dict[str, Any], names: str) -> None:
    ours, acmes = (replace(a.create_load_balancer(provider=each), **children) for each in ("actium", ACME))
    assert why(ours, LoadBalancerState()) == (Reason.UNSUPPORTED, names)
    wish = at_acme(LoadBalancerState(), acmes).wish()
    assert (len(wish.listeners), len(wish.pools), len(wish.l7_policies)) == tuple(
        len(children.get(name, ())) for name in ("listeners", "pools", "l7_policies")
    )


def test_a_vip_on_a_virtual_function_is_refused_by_its_flavor_and_left_to_other_vendors() -> None:
    ours, acmes = (a.create_load_balancer(provider=each, vip_vnic_type=SRIOV) for each in ("actium", ACME))
    assert why(ours, LoadBalancerState()) == (Reason.UNSUPPORTED, "flavor_id")
    taken = at_acme(LoadBalancerState(), acmes).load_balancer
    assert taken is not None
    assert taken.vip_vnic_type == SRIOV


@pytest.mark.parametrize("provider", ["actium", ACME])
def test_what_upstreams_api_refuses_holds_whoever_serves(provider: str) -> None:
    grouped = a.create_load_balancer(provider=provider, vip_vnic_type=SRIOV, vip_sg_ids=("group",))
    assert answered(LoadBalancerState(), grouped) == (Reason.INVALID, "vip_sg_ids")
    state = at_acme(LoadBalancerState(), a.create_load_balancer(provider=ACME), a.create_pool())
    if provider != ACME:
        state = after(a.create_pool())
    assert answered(state, a.create_member(vnic_type=SRIOV)) == (Reason.INVALID, "request_sriov")
    assert answered(state, a.create_health_monitor(type="SCTP", delay_s=3)) == (Reason.INVALID, "type")


def test_a_pool_of_sctp_keeps_clients_as_one_of_udp_does() -> None:
    state = at_acme(LoadBalancerState(), a.create_load_balancer(provider=ACME))
    lasting = SessionPersistence(type="SOURCE_IP", persistence_timeout_s=60)
    at_acme(state, a.create_pool(protocol="SCTP", session_persistence=lasting))
    wrong = a.create_pool(protocol="SCTP", session_persistence=COOKIES)
    assert answered(state, wrong) == (Reason.INVALID, "session_persistence.type")


def test_a_member_that_is_there_keeps_its_port_whatever_a_batch_says() -> None:
    state = after(a.create_pool(), a.create_member())
    assert types(batch(vnic_type=SRIOV, weight=7), state) == ["member.updated"]


def answered(state: LoadBalancerState, wish: Wish) -> tuple[Reason, str | None]:
    """Give why it is refused, by whichever door it has to come."""
    balancer = wish.load_balancer if isinstance(wish, commands.CreateLoadBalancer) else state.load_balancer
    assert balancer is not None
    return why(proposed(wish, "refused") if balancer.provider == ACME else wish, state)


def at_acme(state: LoadBalancerState, *wishes: Wish) -> LoadBalancerState:
    """Give the state once each was proposed, taken by its driver and reported on."""
    for number, wish in enumerate(wishes):
        name = f"{state.generation}-{number}"
        for command in (
            proposed(wish, name),
            commands.SettleProposal(load_balancer_id=a.LB, proposal_id=name, accepted=True),
            commands.ReportStatus(load_balancer_id=a.LB, statuses=(LB_ACTIVE,)),
        ):
            happened = load_balancer.decide(command, state, NOW)
            assert not isinstance(happened, Rejected), happened
            state = load_balancer.fold(state, happened)
    return state


def proposed(wish: Wish, name: str) -> commands.Propose:
    return commands.Propose(load_balancer_id=a.LB, proposal_id=name, command=CODEC.pack(wish), timeout_s=30.0)
