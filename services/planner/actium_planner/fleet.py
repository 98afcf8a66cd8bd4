"""Where things are: load balancers by project, the appliance that carries each, the one that has each amphora. Kept, never scanned for."""

from collections import defaultdict
from collections.abc import Collection

from actium_planner.deciders.appliance import ApplianceState
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, ProjectId

Pool = tuple[str | None, str | None]
"""Flavor and zone: what load balancers share a pool of spares by."""


class Fleet:
    """Told each new state of load balancers and appliances."""

    def __init__(self) -> None:
        self._projects: defaultdict[ProjectId, set[LoadBalancerId]] = defaultdict(set)
        self._project_of: dict[LoadBalancerId, ProjectId] = {}
        self._carriers: dict[LoadBalancerId, ApplianceId] = {}
        self._carried: dict[ApplianceId, tuple[LoadBalancerId, ...]] = {}
        self._appliance_of: dict[AmphoraId, ApplianceId] = {}
        self._amphorae: dict[ApplianceId, Collection[AmphoraId]] = {}
        self.refusing: set[ApplianceId] = set()
        """The appliances that carry a load balancer whose newest wish was refused."""

    def load_balancer_changed(self, load_balancer_id: LoadBalancerId, state: LoadBalancerState) -> None:
        """Count it to its project as long as our amphorae carry it, or shall."""
        balancer = state.load_balancer
        if balancer is not None and state.is_ours:
            self._project_of[load_balancer_id] = balancer.project_id
            self._projects[balancer.project_id].add(load_balancer_id)
            return
        project_id = self._project_of.pop(load_balancer_id, None)
        if project_id is not None:
            self._projects[project_id].discard(load_balancer_id)
            if not self._projects[project_id]:
                del self._projects[project_id]

    def appliance_changed(self, appliance_id: ApplianceId, state: ApplianceState) -> None:
        """Take over what it carries and which amphorae it has."""
        before = self._carried.pop(appliance_id, ())
        if before != state.load_balancers:
            for lb_id in before:
                if self._carriers.get(lb_id) == appliance_id:
                    del self._carriers[lb_id]
            self._carriers |= dict.fromkeys(state.load_balancers, appliance_id)
        had = self._amphorae.pop(appliance_id, ())
        for amphora_id in had:
            if amphora_id not in state.amphorae:
                self._appliance_of.pop(amphora_id, None)
        self._appliance_of |= dict.fromkeys(state.amphorae, appliance_id)
        if state.refusals:
            self.refusing.add(appliance_id)
        else:
            self.refusing.discard(appliance_id)
        if state.load_balancers:
            self._carried[appliance_id] = state.load_balancers
        if state.amphorae:
            self._amphorae[appliance_id] = state.amphorae.keys()

    def of_project(self, project_id: ProjectId) -> list[LoadBalancerId]:
        """Give a project's load balancers that are ours, in an order that is the same everywhere."""
        return sorted(self._projects.get(project_id, ()))

    def carrier(self, load_balancer_id: LoadBalancerId) -> ApplianceId | None:
        """Give the appliance that has admitted it."""
        return self._carriers.get(load_balancer_id)

    def appliance_of(self, amphora_id: AmphoraId) -> ApplianceId | None:
        """Give the appliance that has an amphora, also one that was a spare before."""
        return self._appliance_of.get(amphora_id)
