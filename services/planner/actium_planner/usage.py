"""
What projects use and which flavors and zones are taken: counted from the load balancers' states, never by a scan.

And what decisions on their way to the log will add: until their commit is here it is promised, so that decisions made
meanwhile count it too. Why nothing of this is on the log: decision 6.
"""

from collections import Counter, defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.deciders.project import Holdings, holdings
from actium_shared.ids import LoadBalancerId, ProjectId

PROMISE_S = 60.0
"""Longer than an append may take whose outcome nobody knows (20 s), so that it is counted even if it comes late."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one load balancer counts for."""

    project_id: ProjectId
    holdings: Holdings
    flavor_id: str | None
    zone: str | None


@dataclass(frozen=True, slots=True)
class Promise:
    """What one load balancer is about to grow by."""

    more: Holdings
    until: datetime


class Usage:
    """All projects' usage."""

    def __init__(self) -> None:
        self._shares: dict[str, Share] = {}
        self._used: defaultdict[ProjectId, Counter[str]] = defaultdict(Counter)
        self._promises: defaultdict[ProjectId, dict[str, Promise]] = defaultdict(dict)
        self._flavors: Counter[str] = Counter()
        self._zones: Counter[str] = Counter()

    def changed(self, load_balancer_id: str, state: LoadBalancerState) -> None:
        """Take over a load balancer's new state; a commit on it also tells what became of its promise."""
        old, new = self._shares.pop(load_balancer_id, None), _share(state)
        if old is not None:
            self._count(old, -1)
            self._forget_promise(old.project_id, load_balancer_id)
        if new is not None:
            self._shares[load_balancer_id] = new
            self._count(new, 1)
            self._forget_promise(new.project_id, load_balancer_id)

    def of(self, project_id: ProjectId, *, but_promised_to: LoadBalancerId, now: datetime) -> Holdings:
        """Give what a project uses and will use, less what was promised to one load balancer, which is deciding anew."""
        total = Counter(self._used.get(project_id, {}))
        for lb_id, promise in self._promises.get(project_id, {}).items():
            if lb_id != but_promised_to and promise.until > now:
                total.update({resource: count for resource, count in promise.more.items() if count > 0})
        return total

    def promise(
        self, project_id: ProjectId, load_balancer_id: LoadBalancerId, more: Holdings, *, now: datetime
    ) -> None:
        """Count this growth until a commit on the load balancer is here, or the time is over in which one may come."""
        until = now + timedelta(seconds=PROMISE_S)
        waiting = self._promises[project_id]
        for lb_id in [lb_id for lb_id, promise in waiting.items() if promise.until <= now]:
            del waiting[lb_id]
        waiting[load_balancer_id] = Promise(more, until)

    @property
    def flavors(self) -> AbstractSet[str]:
        """The flavors that load balancers have."""
        return self._flavors.keys()

    @property
    def zones(self) -> AbstractSet[str]:
        """The zones that load balancers are in."""
        return self._zones.keys()

    def _count(self, share: Share, sign: int) -> None:
        used = self._used[share.project_id]
        for resource, count in share.holdings.items():
            used[resource] += sign * count
        for chosen, counter in ((share.flavor_id, self._flavors), (share.zone, self._zones)):
            if chosen is not None:
                counter[chosen] += sign
                if not counter[chosen]:
                    del counter[chosen]
        if not used["loadbalancer"]:
            del self._used[share.project_id]

    def _forget_promise(self, project_id: ProjectId, load_balancer_id: str) -> None:
        waiting = self._promises.get(project_id)
        if waiting is None:
            return
        waiting.pop(load_balancer_id, None)
        if not waiting:
            del self._promises[project_id]


def _share(state: LoadBalancerState) -> Share | None:
    balancer = state.load_balancer or state.proposal
    if balancer is None:
        return None
    return Share(balancer.project_id, holdings(state), balancer.flavor_id, balancer.availability_zone)
