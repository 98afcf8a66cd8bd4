"""What Actium shows, compared with what Octavia was told last: the difference is what to tell. IO only through what is given."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from octavia_lib.api.drivers.exceptions import UpdateStatisticsError, UpdateStatusError

from actium_provider_driver.client import LISTS, Client, Document

STATUSES = ("provisioning_status", "operating_status")
FIGURES = ("active_connections", "bytes_in", "bytes_out", "request_errors", "total_connections")
FINAL = frozenset(("ACTIVE", "ERROR"))
Told = tuple[str, str]
Key = tuple[str, str]
"""What octavia-lib calls a list of such objects, and an id."""


class Octavia(Protocol):
    """octavia-lib's DriverLibrary."""

    def update_loadbalancer_status(self, status: dict[str, list[Document]]) -> None: ...

    def update_listener_statistics(self, statistics: dict[str, list[Document]]) -> None: ...


@dataclass(slots=True)
class Known:
    """One load balancer as Octavia was last told of it."""

    shown: Document = field(default_factory=dict)
    looked_at: float = 0.0
    told: dict[Key, Told] = field(default_factory=dict)
    figures: dict[str, Document] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return self.shown.get("provisioning_status") in FINAL


class Following:
    """Follows all load balancers; `refresh_s`: so often one that seems to stand still is looked at in full."""

    def __init__(self, client: Client, octavia: Octavia, *, refresh_s: float) -> None:
        self._client, self._octavia, self._refresh_s = client, octavia, refresh_s
        self._known: dict[str, Known] = {}

    def look(self) -> None:
        """
        Tell what is new.

        Raises:
            RefusedError: Actium cannot be asked.
            DriverAgentNotFound, DriverAgentTimeout: Octavia's agent cannot be told.
        """
        there = {each["id"]: each for each in self._client.each("/loadbalancers", "loadbalancers")}
        for lb_id in self._known.keys() - there.keys():
            self._tell({("loadbalancers", lb_id): ("DELETED", "OFFLINE")})
            del self._known[lb_id]
        for lb_id, shown in there.items():
            known = self._known.setdefault(lb_id, Known())
            stale = time.monotonic() - known.looked_at >= self._refresh_s
            if shown != known.shown or not known.is_settled or stale:
                self._look_at(shown, known)

    def _look_at(self, shown: Document, known: Known) -> None:
        now = dict(self._objects(shown))
        gone = {key: ("DELETED", "OFFLINE") for key in known.told if key not in now}
        news = {key: told for key, told in now.items() if known.told.get(key) != told}
        self._tell({**gone, **news})
        known.shown, known.told, known.looked_at = shown, now, time.monotonic()
        self._tell_figures(known)

    def _objects(self, shown: Document) -> Iterator[tuple[Key, Told]]:
        """Give everything in a load balancer; what goes while we look is gone at the next look."""
        for each in shown["listeners"]:
            listener = self._one("listeners", each["id"], "listener")
            yield from _told("listeners", listener)
            for policy_id in [policy["id"] for policy in (listener or {}).get("l7policies", ())]:
                yield from _told("l7policies", self._one("l7policies", policy_id, "l7policy"))
                yield from self._children(f"/l7policies/{policy_id}/rules", "rules", "l7rules")
        for each in shown["pools"]:
            pool = self._one("pools", each["id"], "pool")
            yield from _told("pools", pool)
            if pool is not None and pool["members"]:
                yield from self._children(f"/pools/{each['id']}/members", "members", "members")
            if pool is not None and pool.get("healthmonitor_id"):
                monitor = self._one("healthmonitors", pool["healthmonitor_id"], "healthmonitor")
                yield from _told("healthmonitors", monitor)
        yield from _told("loadbalancers", shown)

    def _one(self, kind: str, object_id: str, key: str) -> Document | None:
        found = self._client.found(f"{LISTS}/{kind}/{object_id}")
        return None if found is None else found[key]

    def _children(self, path: str, key: str, kind: str) -> Iterator[tuple[Key, Told]]:
        if self._client.found(f"{LISTS}{path}") is not None:
            for each in self._client.each(path, key):
                yield from _told(kind, each)

    def _tell(self, news: dict[Key, Told]) -> None:
        """Tell what changed, the load balancer last: Octavia lets others change it from then on."""
        records: defaultdict[str, list[Document]] = defaultdict(list)
        for (kind, object_id), (provisioning, operating) in news.items():
            record: Document = {"id": object_id}
            if operating:
                record["operating_status"] = operating
            if provisioning in FINAL or provisioning == "DELETED":
                record["provisioning_status"] = provisioning
            records[kind].append(record)
        own = records.pop("loadbalancers", [])
        for each in ({**records}, {"loadbalancers": own}):
            self._say(each)

    def _say(self, records: dict[str, list[Any]]) -> None:
        if not any(records.values()):
            return
        try:
            self._octavia.update_loadbalancer_status(records)
        except UpdateStatusError:
            # One that Octavia does not know stops the others: each by itself, then, and that one is passed over.
            if sum(map(len, records.values())) > 1:
                for kind, items in records.items():
                    for item in items:
                        self._say({kind: [item]})

    def _tell_figures(self, known: Known) -> None:
        for kind, listener_id in known.told:
            found = self._client.found(f"{LISTS}/listeners/{listener_id}/stats") if kind == "listeners" else None
            if found is None or known.figures.get(listener_id) == found["stats"]:
                continue
            figures = {name: found["stats"][name] for name in FIGURES}
            try:
                self._octavia.update_listener_statistics({"listeners": [{"id": listener_id, **figures}]})
            except UpdateStatisticsError:
                continue  # Octavia does not know it (any more)
            known.figures[listener_id] = found["stats"]


def _told(kind: str, document: Document | None) -> Iterator[tuple[Key, Told]]:
    if document is not None:
        provisioning, operating = (document.get(name) or "" for name in STATUSES)
        yield (kind, document["id"]), (provisioning, operating)
