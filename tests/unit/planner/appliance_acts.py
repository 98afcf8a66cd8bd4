"""Whatever may happen to an appliance, as words for hypothesis; one whose every step is checked; and how it heals."""

from hypothesis import strategies as st

import builders as a
from actium_planner.deciders import appliance
from actium_planner.deciders.appliance import Outcome, Stage
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import ConfigureAmphora, FenceAmphora
from actium_shared.events import rollout
from actium_shared.ids import AmphoraId, RolloutId
from actium_shared.message import Order
from actium_shared.rollouts import Replacement
from unit.planner.appliances import Around
from unit.planner.lives import after
from unit.planner.news import APPLIANCE, boot_failed, booted, configured, lost, port_failed, refused

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


def befall(at: Around, act: str, number: int) -> None:
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
            at.tell(port_failed(one, at.state.amphorae[one].vip_port_id))
        case "says-master" | "says-backup":
            at.says(one, act.removeprefix("says-").upper())
        case "fail-over-one":
            at.operate(here)
        case "remove-one":
            at.operate(commands.RemoveAmphora(appliance_id=APPLIANCE, amphora_id=one))
        case "reconfigure":
            at.operate(commands.ReconfigureAmphora(appliance_id=APPLIANCE, amphora_id=one))
        case "renew-one":
            at.tell(renewal(at, one))
        case "renewal-fails":
            at.tell(no_renewal(one))
        case "silent":
            at.silent.add(one)
        case "again" if one in at.hosts:
            at.tell(booted(one, at.hosts[one]))
            if one in at.runs:
                at.tell(configured(at.runs[one]))


def renewal(at: Around, one: AmphoraId) -> rollout.ReplacementsOrdered:
    """Give a rollout's word that one shall be replaced."""
    new = Replacement(amphora_id=one, appliance_id=APPLIANCE, image_tag="new", from_image_tag="default")
    return rollout.ReplacementsOrdered(
        rollout_id=RolloutId("r"), wave=1, replacements=(new,), deadline_at=at.now, left=0
    )


def no_renewal(one: AmphoraId) -> rollout.ReplacementFailed:
    """Give a rollout's word that it cannot replace one."""
    return rollout.ReplacementFailed(
        rollout_id=RolloutId("r"), amphora_id=one, appliance_id=APPLIANCE, image_tag="default", reason="no host left"
    )


def _wish(at: Around) -> commands.LoadBalancerCommand:
    changes = commands.LoadBalancerChanges(name=f"n{at.wish.generation}", admin_state_up=at.wish.generation % 2 == 0)
    return commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=changes)


def heal(at: Around) -> None:
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


def assert_whole(at: Around) -> None:
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
