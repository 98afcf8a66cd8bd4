"""Whatever happens to an appliance in whatever order: it heals by itself, and never do two hold the same addresses."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders import appliance
from actium_planner.deciders.appliance import Outcome, Stage
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, FenceAmphora
from actium_shared.events import network, rollout
from actium_shared.ids import AmphoraId, RolloutId
from actium_shared.message import Order
from actium_shared.rollouts import Replacement
from unit.planner.appliances import APPLIANCE, PAIR, Around, boot_failed, booted, configured, lost, refused
from unit.planner.lives import after

Act = tuple[str, int]

acts = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *["work"] * 6,
                "settle",
                "work-but-fences",
                "lose",
                "lost-again",
                "boot-fails",
                "refuse",
                "refuse-from-now-on",
                "deleted-by-others",
                "port-fails",
                "says-master",
                "says-backup",
                "wish",
                "bad-wish",
                "fail-over",
                "fail-over-one",
                "remove-one",
                "reconfigure",
                "renew-one",
                "renewal-fails",
                "spare",
                "answer",
                "no-boots",
                "boots",
                "silent",
                "wait",
                "wait-long",
                "again",
            ]
        ),
        st.integers(min_value=0, max_value=7),
    ),
    max_size=40,
)


def _anyone(at: Around, number: int) -> AmphoraId | None:
    known = at.state.ordered()
    return known[number % len(known)].id if known else None


class Watched(Around):
    """An appliance whose every step is checked."""

    def __init__(self, **fields: object) -> None:
        super().__init__(wish=after(**fields))
        self.said: dict[str, object] = {}

    def check(self) -> None:
        super().check()
        if self.state.id is None:
            return
        for order in self.plan().orders:
            self._said_once(order)
        replayed = appliance.fold(appliance.ApplianceState(), self.told)
        assert replayed == self.state
        roles = [each.role for each in self.state.staying()]
        assert len(roles) <= len(self.state.roles) + 1, roles

    def _said_once(self, order: Order) -> None:
        """Nothing that is ordered under one number may ever differ, but for newer wishes: compute has only the number."""
        if isinstance(order, ConfigureAmphora):
            said = (order.holds_vips, order.yields, order.rank, order.peers, order.member_ports, order.vip_port_id)
            assert self.said.setdefault(order.order_id, said) == said


def _act(at: Around, act: str, number: int) -> None:
    one = _anyone(at, number)
    orders = at.orders()
    match act:
        case "work" if orders:
            at.work(orders[number % len(orders)])
        case "settle":
            at.settle()
        case "work-but-fences":
            at.settle(FenceAmphora)
        case "wish":
            at.ask(_wish(at))
        case "bad-wish":
            at.bad.add(at.wish.next_generation)
            at.ask(_wish(at))
        case "fail-over":
            at.ask(commands.FailOverLoadBalancer(load_balancer_id=a.LB))
        case "spare":
            spare = AmphoraId(a.an_id(f"spare-{len(at.hosts)}-{number}"))
            if spare not in at.hosts:
                at.spares[spare] = f"host-{number % 3 + 1}"
        case "answer" if at.searches:
            at.answer(at.searches[number % len(at.searches)])
        case "no-boots" | "boots":
            at.boots = act == "boots"
        case "wait" | "wait-long":
            at.wait(number * 7 if act == "wait" else number * 100)
        case _ if one is not None:
            _act_on(at, act, one)
        case _:
            pass


def _act_on(at: Around, act: str, one: AmphoraId) -> None:
    here = commands.FailOverAmphora(appliance_id=APPLIANCE, amphora_id=one)
    match act:
        case "lose":
            at.lose(one)
        case "lost-again":
            at.tell(lost(one))
        case "boot-fails":
            at.tell(boot_failed(one))
        case "refuse":
            at.tell(refused(one, at.state.bundle.number))
        case "refuse-from-now-on":
            at.refuses.add(one)
        case "deleted-by-others":
            at.gone(one)
        case "port-fails":
            at.tell(
                network.PortFailed(
                    amphora_id=one,
                    appliance_id=APPLIANCE,
                    port_id=at.state.amphorae[one].vip_port_id,
                    reason="out of addresses",
                )
            )
        case "says-master" | "says-backup":
            at.says(one, act.removeprefix("says-").upper())
        case "fail-over-one":
            at.operate(here)
        case "remove-one":
            at.operate(commands.RemoveAmphora(appliance_id=APPLIANCE, amphora_id=one))
        case "reconfigure":
            at.operate(commands.ReconfigureAmphora(appliance_id=APPLIANCE, amphora_id=one))
        case "renew-one":
            at.tell(_renewal(at, one))
        case "renewal-fails":
            at.tell(_no_renewal(one))
        case "silent":
            at.silent.add(one)
        case "again" if one in at.hosts:
            at.tell(booted(one, at.hosts[one]))
            if one in at.runs:
                at.tell(configured(at.runs[one]))


def _renewal(at: Around, one: AmphoraId) -> rollout.ReplacementsOrdered:
    new = Replacement(amphora_id=one, appliance_id=APPLIANCE, image_tag="new", from_image_tag="default")
    return rollout.ReplacementsOrdered(
        rollout_id=RolloutId("r"), wave=1, replacements=(new,), deadline_at=at.now, left=0
    )


def _no_renewal(one: AmphoraId) -> rollout.ReplacementFailed:
    return rollout.ReplacementFailed(
        rollout_id=RolloutId("r"), amphora_id=one, appliance_id=APPLIANCE, image_tag="default", reason="no host left"
    )


def _wish(at: Around) -> commands.LoadBalancerCommand:
    changes = commands.LoadBalancerChanges(name=f"n{at.wish.generation}", admin_state_up=at.wish.generation % 2 == 0)
    return commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=changes)


def _heal(at: Around) -> None:
    """From now on everything succeeds; who is dead is found dead."""
    at.boots = at.fences = True
    for one in at.silent & set(at.state.amphorae):
        at.tell(lost(one))
    at.refuses.clear()
    at.silent.clear()
    for _ in range(12):
        at.settle()
        masters = at.state.masters()
        if at.state.is_pair and len(masters) != 1:  # keepalived sees to it
            staying = at.state.staying() or at.state.serving()
            for each in at.state.serving():
                at.says(each.id, "MASTER" if staying and each.id == staying[0].id else "BACKUP")
        at.settle()
        at.wait(2000)


def _is_whole(at: Around) -> None:
    state = at.state
    assert sorted(each.role for each in state.ordered()) == sorted(state.roles), state
    assert all(each.stage is Stage.JOINED and not each.leaving for each in state.ordered())
    assert state.bundle.outcome is Outcome.APPLIED
    assert dict(state.bundle.holds) == {a.LB: at.wish.generation}
    assert all(each.in_force == state.bundle.number for each in state.ordered())
    assert (at.wish.pending, at.wish.failed, at.wish.ended) == (False, 0, at.wish.generation)
    assert not state.unanswered
    plan = at.plan()
    assert (plan.orders, plan.wake_at) == ([], None)
    assert appliance.onward(state, at.context()) == []
    assert {one for one, runs in at.runs.items() if runs.holds_vips} == set(state.amphorae)
    if state.is_pair:
        assert len({each.host for each in state.ordered()}) == 2


def _live(at: Around, script: Sequence[Act]) -> None:
    at.admit()
    for act, number in script:
        _act(at, act, number)
    _heal(at)
    _serves_what_is_good(at)
    at.bad.clear()
    _heal(at)
    _is_whole(at)


def _serves_what_is_good(at: Around) -> None:
    """Everybody who shall serves the newest wish that can be served; a bad one is an error, and nothing waits for it."""
    at.settle()  # what is bad may just have been tried again
    good = at.state.good.get(a.LB, 0)
    assert not at.wish.pending
    assert (at.wish.generation in at.bad) == bool(at.wish.failed)
    assert good not in at.bad
    assert good == at.wish.generation or at.wish.generation in at.bad
    if good:
        assert sorted(each.role for each in at.state.ordered()) == sorted(at.state.roles)
        assert {at.runs[each.id].load_balancers[0].generation for each in at.state.ordered()} == {good}
        applied = at.state.bundle.number if at.state.bundle.outcome is Outcome.APPLIED else at.state.applied
        assert {each.in_force for each in at.state.ordered()} == {applied}
        assert not at.state.exchanging


@settings(max_examples=300, deadline=None)
@given(acts)
def test_one_alone_always_heals(script: list[Act]) -> None:
    _live(Watched(), script)


@settings(max_examples=300, deadline=None)
@given(acts)
def test_a_pair_always_heals(script: list[Act]) -> None:
    _live(Watched(**PAIR), script)


@settings(max_examples=150, deadline=None)
@given(acts, st.booleans())
def test_a_deleted_one_leaves_nothing_behind(script: list[Act], pair: bool) -> None:
    at = Watched(**PAIR) if pair else Watched()
    at.admit()
    for act, number in script:
        _act(at, act, number)
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    at.boots = at.fences = True
    at.settle()
    at.wait(2000)
    at.settle()
    assert at.state.retired
    assert not at.state.amphorae
    assert at.wish.withdrawn
    assert at.plan().orders == ()


@settings(max_examples=200, deadline=None)
@given(acts, st.booleans())
def test_nothing_stays_pending_for_ever_when_nobody_does_anything_any_more(script: list[Act], pair: bool) -> None:
    at = Watched(**PAIR) if pair else Watched()
    at.admit()
    for act, number in script:
        _act(at, act, number)
    for _ in range(10):
        at.wait(2000)
    assert not at.wish.pending


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("hours", [1, 4])
def test_what_keeps_failing_is_tried_ever_more_seldom(pair: bool, hours: int) -> None:
    at = Watched(**PAIR) if pair else Watched()
    at.admit()
    at.boots = False
    for _ in range(hours * 60):
        at.wait(60)
        at.settle()
    assert at.types().count("amphora-appointed") < 40 + 20 * hours
    assert not [order for order in at.plan().orders if isinstance(order, BootAmphora)]
