"""Whatever is asked in whatever order: positions without gaps, nothing that names what is not there, one outcome."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders import load_balancer
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.commands import planner as commands
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import L7PolicyId, L7RuleId, ListenerId, MemberId, PoolId
from actium_shared.message import Rejected
from unit.planner.lives import NOW, after, served

LISTENERS = [ListenerId(a.an_id(f"listener-{number}")) for number in range(3)]
POOLS = [PoolId(a.an_id(f"pool-{number}")) for number in range(3)]
POLICIES = [L7PolicyId(a.an_id(f"policy-{number}")) for number in range(5)]
RULES = [L7RuleId(a.an_id(f"rule-{number}")) for number in range(2)]
MEMBERS = [MemberId(a.an_id(f"member-{number}")) for number in range(2)]

listeners, pools, policies = st.sampled_from(LISTENERS), st.sampled_from(POOLS), st.sampled_from(POLICIES)
rules, members = st.sampled_from(RULES), st.sampled_from(MEMBERS)
maybe_pools = st.none() | pools
positions = st.integers(min_value=1, max_value=6) | st.just(a.LAST)
protocols = st.sampled_from(["HTTP", "TCP", "UDP", "TERMINATED_HTTPS"])


def _listener(listener_id: ListenerId, protocol: str, pool_id: PoolId | None) -> LoadBalancerCommand:
    port = 80 + LISTENERS.index(listener_id)
    certificate = "ref" if protocol == "TERMINATED_HTTPS" else None
    return a.create_listener(
        id=listener_id,
        protocol=protocol,
        protocol_port=port,
        default_pool_id=pool_id,
        default_tls_container_ref=certificate,
    )


def _policy(
    policy_id: L7PolicyId, listener_id: ListenerId, pool_id: PoolId | None, position: int
) -> LoadBalancerCommand:
    action = "REDIRECT_TO_POOL" if pool_id else "REJECT"
    return a.create_l7_policy(
        id=policy_id, listener_id=listener_id, action=action, redirect_pool_id=pool_id, position=position
    )


def _change_policy(policy_id: L7PolicyId, changes: commands.L7PolicyChanges) -> LoadBalancerCommand:
    return commands.UpdateL7Policy(load_balancer_id=a.LB, l7_policy_id=policy_id, changes=changes)


def _change_listener(listener_id: ListenerId, pool_id: PoolId | None) -> LoadBalancerCommand:
    changes = commands.ListenerChanges(default_pool_id=pool_id)
    return commands.UpdateListener(load_balancer_id=a.LB, listener_id=listener_id, changes=changes)


def _batch(pool_id: PoolId, ids: list[MemberId]) -> LoadBalancerCommand:
    entries = tuple(
        commands.BatchMember(member=a.member(id=member_id, address=f"10.0.0.{place}"))
        for place, member_id in enumerate(ids)
    )
    return commands.ReplaceMembers(load_balancer_id=a.LB, pool_id=pool_id, members=entries)


policy_changes = st.one_of(
    st.builds(commands.L7PolicyChanges, position=positions),
    st.builds(commands.L7PolicyChanges, redirect_pool_id=pools),
    st.builds(commands.L7PolicyChanges, redirect_url=st.just("https://there.example")),
    st.builds(commands.L7PolicyChanges, name=st.sampled_from(["one", "two"])),
)
wishes: st.SearchStrategy[LoadBalancerCommand] = st.one_of(
    st.builds(_listener, listeners, protocols, maybe_pools),
    st.builds(_change_listener, listeners, maybe_pools),
    st.builds(lambda each: commands.DeleteListener(load_balancer_id=a.LB, listener_id=each), listeners),
    st.builds(
        lambda each, protocol: a.create_pool(id=each, protocol=protocol), pools, st.sampled_from(["HTTP", "UDP"])
    ),
    st.builds(lambda each, to: a.create_pool(id=each, listener_id=to), pools, listeners),
    st.builds(lambda each: commands.DeletePool(load_balancer_id=a.LB, pool_id=each), pools),
    st.builds(lambda each, to: a.create_member(id=each, pool_id=to), members, pools),
    st.builds(_batch, pools, st.lists(members, unique=True)),
    st.builds(_policy, policies, listeners, maybe_pools, positions),
    st.builds(_change_policy, policies, policy_changes),
    st.builds(lambda each: commands.DeleteL7Policy(load_balancer_id=a.LB, l7_policy_id=each), policies),
    st.builds(lambda each, to: a.create_l7_rule(id=each, l7_policy_id=to), rules, policies),
)
BEGUN = after(
    *(a.create_pool(id=pool_id) for pool_id in POOLS[:2]),
    *(_listener(listener_id, "HTTP", POOLS[0]) for listener_id in LISTENERS[:2]),
    _policy(POLICIES[0], LISTENERS[0], POOLS[0], 1),
    _policy(POLICIES[1], LISTENERS[0], POOLS[1], 1),
    _policy(POLICIES[2], LISTENERS[0], None, 1),
)
scripts = st.lists(wishes | st.none(), max_size=40)
"""Nothing stands for the end of a round."""


@settings(max_examples=400, deadline=None)
@given(scripts)
def test_every_reference_leads_somewhere_and_positions_have_no_gaps(script: list[LoadBalancerCommand | None]) -> None:
    state = BEGUN
    for command in script:
        if command is None:
            state = served(state)
            continue
        happened = load_balancer.decide(command, state, NOW)
        if isinstance(happened, Rejected):
            assert happened.detail
            continue
        state = load_balancer.fold(state, happened)
        _check(state)
        _check_told_positions(happened, state)
        _check_repeat(command, state)


def _check(state: LoadBalancerState) -> None:
    places: dict[str, list[int]] = {}
    for each in state.wish().l7_policies:
        policy = each.policy
        assert policy.listener_id in state.listeners
        assert policy.redirect_pool_id is None or policy.redirect_pool_id in state.pools
        assert policy == state.l7_policy(policy.id)
        places.setdefault(policy.listener_id, []).append(policy.position)
    assert all(found == list(range(1, len(found) + 1)) for found in places.values())
    assert sum(map(len, places.values())) == len(state.l7_policies)
    for listener in state.listeners.values():
        assert listener.default_pool_id is None or listener.default_pool_id in state.pools


def _check_told_positions(happened: Sequence[LoadBalancerEvent], state: LoadBalancerState) -> None:
    """Whoever reads the events alone knows every position: that of the policy itself, or all of them in their order."""
    for event in happened:
        if isinstance(event, events.L7PolicyCreated | events.L7PolicyUpdated):
            assert event.l7_policy == state.l7_policy(event.l7_policy.id)
        if isinstance(event, events.L7PoliciesOrdered):
            assert event.l7_policy_ids == state.l7_order[event.listener_id]


def _check_repeat(command: LoadBalancerCommand, state: LoadBalancerState) -> None:
    """The same wish again is true already, or about what is no longer there."""
    again = load_balancer.decide(command, state, NOW)
    assert isinstance(again, Rejected) or again == []


@settings(max_examples=200, deadline=None)
@given(scripts)
def test_the_same_wishes_have_the_same_outcome_and_the_log_alone_tells_it(
    script: list[LoadBalancerCommand | None],
) -> None:
    state, told = BEGUN, []
    for command in script:
        happened = load_balancer.decide(command, state, NOW) if command else ()
        assert happened == (load_balancer.decide(command, state, NOW) if command else ())
        if not isinstance(happened, Rejected):
            state = load_balancer.fold(state, happened)
            told += happened
    replayed = load_balancer.fold(BEGUN, told)
    assert replayed == state
    assert replayed.wish() == state.wish()
