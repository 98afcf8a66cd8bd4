"""However the streams' commits interleave and are batched, as long as causes come first: the same rows."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actium_shared.event_store import Recorded
from actium_shared.events import load_balancer as lb_events
from actium_shared.events.amphora import AmphoraBooted, AmphoraDeleted
from actium_shared.events.appliance import (
    AmphoraAppointed,
    AmphoraCleared,
    AmphoraDismissed,
    AmphoraJoined,
    ApplianceCreated,
    LoadBalancerAdmitted,
    LoadBalancerReleased,
)
from actium_shared.events.health import AmphoraLost, OperatingStatusChanged, StatusChange
from actium_shared.events.network import Port, PortCreated, PortDeleted, VipReleased, VipReserved
from actium_shared.events.spares import (
    SpareAppointed,
    SpareDismissed,
    SpareHandedOut,
    SpareReady,
    SparesSized,
)
from actium_shared.ids import (
    AmphoraId,
    ApplianceId,
    HealthMonitorId,
    L7PolicyId,
    L7RuleId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    NetworkId,
    PoolId,
    PortId,
    ProjectId,
    SparesId,
    SubnetId,
)
from actium_shared.message import Event
from builders import an_id, health_monitor, l7_policy, l7_rule, listener, load_balancer, member, pool, vip
from unit.api.given import START, ReadModel, about, recorded

PLANNER = "EVENTS_PLANNER"


@dataclass
class History:
    """A log that grows as a system's would, of what random choices make of two load balancers."""

    commits: dict[str, list[Recorded]] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    children: dict[str, dict[str, str]] = field(default_factory=dict)
    second: int = 0
    deleted: int = 0

    def append(self, owner: str, *events: Event, reads: dict[str, int] | None = None) -> None:
        self.second += 1
        stream = self.commits.setdefault(owner, [])
        aggregate, aggregate_id = about(events[0])
        at = START + timedelta(seconds=self.second)
        commit = recorded(owner, aggregate, aggregate_id, events, sequence=len(stream) + 1, at=at, reads=reads)
        stream.append(commit)

    def step(self, choice: tuple[int, int, int]) -> None:
        which, what, number = choice
        lb_id = LoadBalancerId(an_id(f"lb {which} {self.deleted}"))  # ids are never used again
        if lb_id not in self.generations:
            self._create(lb_id)
            return
        steps = (
            self._member,
            self._pool,
            self._listener,
            self._monitor,
            self._policy,
            self._rule,
            self._round,
            self._health,
            self._machine,
            self._spare,
        )
        if what == 0 and number == 0:
            self._delete(lb_id)
        else:
            steps[what % len(steps)](lb_id, number)

    def _create(self, lb_id: LoadBalancerId) -> None:
        self.generations[lb_id] = 1
        self.children[lb_id] = {}
        project_id = ProjectId("p")
        self.append("network", VipReserved(load_balancer_id=lb_id, project_id=project_id, vip=vip()))
        created = load_balancer(id=lb_id, tags=("t",))
        self.append(
            "planner", lb_events.LoadBalancerCreated(load_balancer_id=lb_id, generation=1, load_balancer=created)
        )
        appliance_id, amphora_id = ids_of(lb_id)
        self.append(
            "planner",
            ApplianceCreated(appliance_id=appliance_id, project_id=project_id, topology="SINGLE", image_tag="i"),
            LoadBalancerAdmitted(appliance_id=appliance_id, load_balancer_id=lb_id),
            appointed(appliance_id, amphora_id),
        )

    def _delete(self, lb_id: LoadBalancerId) -> None:
        generation = self._next(lb_id)
        appliance_id, amphora_id = ids_of(lb_id)
        self.append("planner", lb_events.LoadBalancerDeletionRequested(load_balancer_id=lb_id, generation=generation))
        self.append("planner", AmphoraDismissed(appliance_id=appliance_id, amphora_id=amphora_id, reason="deleted"))
        self.append("compute", AmphoraDeleted(amphora_id=amphora_id, appliance_id=appliance_id))
        port_id = PortId(f"v-{amphora_id}")
        self.append("network", PortDeleted(amphora_id=amphora_id, appliance_id=appliance_id, port_id=port_id))
        self.append(
            "planner",
            AmphoraCleared(appliance_id=appliance_id, amphora_id=amphora_id),
            LoadBalancerReleased(appliance_id=appliance_id, load_balancer_id=lb_id),
        )
        self.append("network", VipReleased(load_balancer_id=lb_id, reason="deleted"))
        self.append("planner", lb_events.LoadBalancerDeleted(load_balancer_id=lb_id))
        del self.generations[lb_id], self.children[lb_id]
        self.deleted += 1

    def _next(self, lb_id: LoadBalancerId) -> int:
        self.generations[lb_id] += 1
        return self.generations[lb_id]

    def _pool(self, lb_id: LoadBalancerId, number: int) -> None:
        children, pool_id = self.children[lb_id], an_id(f"{lb_id} pool {number % 2}")
        own: dict[str, Any] = {"load_balancer_id": lb_id, "generation": self._next(lb_id)}
        if pool_id not in children:
            children[pool_id] = "pool"
            self.append("planner", lb_events.PoolCreated(pool=pool(id=pool_id), **own))
        elif number < 4:
            self.append("planner", lb_events.PoolUpdated(pool=pool(id=pool_id, name=str(number)), **own))
        else:
            for child_id in [each for each, kind in children.items() if kind.endswith(pool_id)]:
                del children[child_id]
            del children[pool_id]
            users = [each for each, kind in children.items() if kind == f"listener {pool_id}"]
            detached = [
                lb_events.ListenerUpdated(listener=listener(id=each, default_pool_id=None), **own) for each in users
            ]
            self.append("planner", *detached, lb_events.PoolRemoved(pool_id=PoolId(pool_id), **own))

    def _some_pool(self, lb_id: LoadBalancerId) -> str | None:
        return next((each for each, kind in self.children[lb_id].items() if kind == "pool"), None)

    def _member(self, lb_id: LoadBalancerId, number: int) -> None:
        pool_id = self._some_pool(lb_id)
        if pool_id is None:
            return
        children, member_id = self.children[lb_id], an_id(f"{pool_id} member {number % 3} {self.second}")
        existing = next((each for each, kind in children.items() if kind == f"member {pool_id}"), None)
        own: dict[str, Any] = {"load_balancer_id": lb_id, "generation": self._next(lb_id), "pool_id": pool_id}
        if existing is None or number < 3:
            children[member_id] = f"member {pool_id}"
            new = member(id=member_id, tags=("a",))
            self.append("planner", lb_events.MemberCreated(member=new, **own))
        elif number < 5:
            self.append("planner", lb_events.MemberUpdated(member=member(id=existing, weight=number), **own))
        else:
            del children[existing]
            self.append("planner", lb_events.MemberRemoved(member_id=MemberId(existing), **own))

    def _listener(self, lb_id: LoadBalancerId, number: int) -> None:
        children, listener_id = self.children[lb_id], an_id(f"{lb_id} listener {number % 2}")
        pool_id = self._some_pool(lb_id)
        own: dict[str, Any] = {"load_balancer_id": lb_id, "generation": self._next(lb_id)}
        wish = listener(id=listener_id, default_pool_id=pool_id, name=str(number))
        if listener_id not in children:
            children[listener_id] = f"listener {pool_id}"
            self.append("planner", lb_events.ListenerCreated(listener=wish, **own))
        elif number < 4:
            children[listener_id] = f"listener {pool_id}"
            self.append("planner", lb_events.ListenerUpdated(listener=wish, **own))
        else:
            inner = [each for each, kind in children.items() if kind == f"policy {listener_id}"]
            for each in [each for each, kind in children.items() if kind in {f"rule {one}" for one in inner}]:
                del children[each]
            for each in (*inner, listener_id):
                del children[each]
            self.append("planner", lb_events.ListenerRemoved(listener_id=ListenerId(listener_id), **own))

    def _monitor(self, lb_id: LoadBalancerId, number: int) -> None:
        pool_id = self._some_pool(lb_id)
        if pool_id is None:
            return
        children = self.children[lb_id]
        existing = next((each for each, kind in children.items() if kind == f"monitor {pool_id}"), None)
        own: dict[str, Any] = {"load_balancer_id": lb_id, "generation": self._next(lb_id), "pool_id": pool_id}
        if existing is None:
            monitor_id = an_id(f"{pool_id} monitor {self.second}")
            children[monitor_id] = f"monitor {pool_id}"
            wish = health_monitor(id=monitor_id, admin_state_up=number % 2 == 0)
            self.append("planner", lb_events.HealthMonitorCreated(health_monitor=wish, **own))
        else:
            del children[existing]
            self.append("planner", lb_events.HealthMonitorRemoved(health_monitor_id=HealthMonitorId(existing), **own))

    def _policy(self, lb_id: LoadBalancerId, number: int) -> None:
        children = self.children[lb_id]
        listener_id = next((each for each, kind in children.items() if kind.startswith("listener")), None)
        if listener_id is None:
            return
        own: dict[str, Any] = {"load_balancer_id": lb_id, "generation": self._next(lb_id)}
        existing = next((each for each, kind in children.items() if kind == f"policy {listener_id}"), None)
        policy_id = L7PolicyId(existing or an_id(f"{listener_id} policy {self.second}"))
        wish = l7_policy(
            id=policy_id,
            listener_id=listener_id,
            position=1,
            redirect_pool_id=self._some_pool(lb_id),
            admin_state_up=number % 2 == 0,
            tags=("p",),
        )
        if existing is None:
            children[policy_id] = f"policy {listener_id}"
            self.append("planner", lb_events.L7PolicyCreated(l7_policy=wish, **own))
        elif number < 5:
            order = lb_events.L7PoliciesOrdered(listener_id=ListenerId(listener_id), l7_policy_ids=(policy_id,), **own)
            self.append("planner", lb_events.L7PolicyUpdated(l7_policy=wish, **own), order)
        else:
            for each in [each for each, kind in children.items() if kind == f"rule {policy_id}"]:
                del children[each]
            del children[policy_id]
            removed = lb_events.L7PolicyRemoved(listener_id=ListenerId(listener_id), l7_policy_id=policy_id, **own)
            self.append("planner", removed)

    def _rule(self, lb_id: LoadBalancerId, number: int) -> None:
        children = self.children[lb_id]
        found = next((each for each, kind in children.items() if kind.startswith("policy")), None)
        if found is None:
            return
        policy_id = L7PolicyId(found)
        existing = next((each for each, kind in children.items() if kind == f"rule {policy_id}"), None)
        rule_id = L7RuleId(existing or an_id(f"{policy_id} rule {self.second}"))
        wish = l7_rule(id=rule_id, value=f"/{number}")
        own: dict[str, Any] = {"load_balancer_id": lb_id, "generation": self._next(lb_id), "l7_policy_id": policy_id}
        if existing is None:
            children[rule_id] = f"rule {policy_id}"
            self.append("planner", lb_events.L7RuleCreated(l7_rule=wish, **own))
        elif number < 4:
            self.append("planner", lb_events.L7RuleUpdated(l7_rule=wish, **own))
        else:
            del children[rule_id]
            self.append("planner", lb_events.L7RuleRemoved(l7_rule_id=rule_id, **own))

    def _round(self, lb_id: LoadBalancerId, number: int) -> None:
        generation = max(1, self.generations[lb_id] - number % 2)
        if number % 3 == 2:
            event: Event = lb_events.RoundFailed(load_balancer_id=lb_id, generation=generation, reason="r")
        else:
            event = lb_events.RoundEnded(load_balancer_id=lb_id, generation=generation)
        self.append("planner", event)
        if generation < self.generations[lb_id]:
            begun = lb_events.RoundBegun(load_balancer_id=lb_id, generation=self.generations[lb_id])
            self.append("planner", begun)

    def _health(self, lb_id: LoadBalancerId, number: int) -> None:
        """Say something of everything, knowing the planner's log only up to some commits ago."""
        status = ("ONLINE", "ERROR", "NO_MONITOR")[number % 3]
        kinds = {each: kind.partition(" ")[0] for each, kind in self.children[lb_id].items()}
        changes = [StatusChange(kind="loadbalancer", id=lb_id, operating_status=status)]
        changes += [StatusChange(kind=kind, id=each, operating_status=status) for each, kind in kinds.items()]
        known = max(1, len(self.commits["planner"]) - number)
        event = OperatingStatusChanged(load_balancer_id=lb_id, changes=tuple(changes))
        self.append("health", event, reads={PLANNER: known})

    def _machine(self, lb_id: LoadBalancerId, number: int) -> None:
        appliance_id, amphora_id = ids_of(lb_id)
        if number % 3 == 0:
            port = Port(
                id=PortId(f"v-{amphora_id}"),
                network_id=NetworkId("n"),
                subnet_id=SubnetId("s"),
                address=f"203.0.113.{self.second % 200}",
                prefix_length=24,
                mac="02:00:00:00:00:01",
                mtu=1500,
            )
            self.append("network", PortCreated(amphora_id=amphora_id, appliance_id=appliance_id, port=port))
        elif number % 3 == 1:
            self.append("compute", booted(amphora_id, appliance_id, number))
        else:
            self.append("planner", AmphoraJoined(appliance_id=appliance_id, amphora_id=amphora_id))

    def _spare(self, lb_id: LoadBalancerId, number: int) -> None:
        """One comes and waits; it is handed out, or goes. Compute and health speak of it whenever they do."""
        appliance_id, pool_id, spare_id = ids_of(lb_id)[0], SparesId("pool"), AmphoraId(an_id(f"spare {self.second}"))
        about: dict[str, Any] = {"spares_id": pool_id, "amphora_id": spare_id}
        port_id = PortId(f"m-{spare_id}")
        self.append("planner", SparesSized(spares_id=pool_id, size=number, image_tag="i"))
        self.append("planner", SpareAppointed(**about, management_port_id=port_id, deadline_at=START))
        self.append("compute", booted(spare_id, ApplianceId(pool_id), number))
        lost = AmphoraLost(amphora_id=spare_id, appliance_id=ApplianceId(pool_id), last_heard_at=START, reason="silent")
        self.append("health", lost)
        self.append("planner", SpareReady(**about, host="h"))
        if number % 2:
            self.append("planner", SpareDismissed(**about, reason="one too many"))
            return
        handed: dict[str, Any] = {"appliance_id": appliance_id, "search": 1, "host": "h"}
        self.append("planner", SpareHandedOut(**about, **handed, management_port_id=port_id))
        self.append("planner", appointed(appliance_id, spare_id, spare=True))


def appointed(appliance_id: ApplianceId, amphora_id: AmphoraId, *, spare: bool = False) -> AmphoraAppointed:
    return AmphoraAppointed(
        appliance_id=appliance_id,
        amphora_id=amphora_id,
        role="STANDALONE",
        attempt=1,
        management_port_id=PortId(f"m-{amphora_id}"),
        vip_port_id=PortId(f"v-{amphora_id}"),
        vip_subnet_id=SubnetId("s"),
        deadline_at=START,
        spare=spare,
    )


def booted(amphora_id: AmphoraId, appliance_id: ApplianceId, number: int) -> AmphoraBooted:
    return AmphoraBooted(
        amphora_id=amphora_id,
        appliance_id=appliance_id,
        compute_id=f"c{number}",
        host="h",
        image_tag="i",
        management_address="10.250.1.1",
        heartbeat_key_version=1,
        certificate_expires_at=START,
    )


def ids_of(lb_id: LoadBalancerId) -> tuple[ApplianceId, AmphoraId]:
    return ApplianceId(an_id(f"{lb_id} appliance")), AmphoraId(an_id(f"{lb_id} amphora"))


def interleaved(history: History, choices: Iterator[int]) -> Iterator[list[Recorded]]:
    """Give batches of each stream in order, the streams in any order that lets causes come first."""
    waiting = {owner: list(commits) for owner, commits in history.commits.items()}
    projected = 0
    while any(waiting.values()):
        ready = [owner for owner, commits in sorted(waiting.items()) if commits and _known(commits[0]) <= projected]
        owner = ready[next(choices) % len(ready)]
        size = 1 + next(choices) % 4
        batch: list[Recorded] = []
        while waiting[owner] and len(batch) < size and _known(waiting[owner][0]) <= projected:
            batch.append(waiting[owner].pop(0))
        if owner == "planner":
            projected = batch[-1].position.sequence
        yield batch


def _known(commit: Recorded) -> int:
    return commit.commit.reads.get(PLANNER, 0)


CHOICES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 19), st.integers(0, 6)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(steps=CHOICES, seed=st.integers(0, 1_000))
def test_two_interleavings_lead_to_the_same_rows(steps: list[tuple[int, int, int]], seed: int) -> None:
    history = History()
    for step in [(0, 1, 0), (1, 1, 0), *steps]:
        history.step(step)
    contents = []
    order = random.Random(seed)
    for _ in range(2):
        model = ReadModel()
        for batch in interleaved(history, iter(lambda: order.randrange(1_000), -1)):
            model.take(batch)
        contents.append(model.contents())
        model.database.close()
    assert contents[0] == contents[1]
