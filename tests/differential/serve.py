"""
Serves upstream's API on a port of loopback until it is ended; run by the Python of upstream's own environment.

It stands on an empty database in memory and its no-op drivers. Two requests of ours go to no resource of upstream's:
`POST /-/settle` has the provider say that all its work is done, `POST /-/wipe` empties the database. What a request
with the header `X-Undo` has done is undone when it is answered, and whatever a refused one has left behind; with the
header `X-Plain` nothing is done around a request, so that how long it takes is upstream's alone.
"""

import copy
import gc
import sqlite3
import sys
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from octavia.api.app import setup_app
from octavia.api.drivers.driver_agent.driver_updater import DriverUpdater
from octavia.common import constants
from octavia.db import api, base_models, models
from octavia.network.drivers.noop_driver import driver as noop_network
from sqlalchemy.orm import Session, lazyload

Start = Callable[..., Any]
LOOKUPS = {
    models.ProvisioningStatus: constants.SUPPORTED_PROVISIONING_STATUSES,
    models.OperatingStatus: constants.SUPPORTED_OPERATING_STATUSES,
    models.HealthMonitorType: constants.SUPPORTED_HEALTH_MONITOR_TYPES,
    models.Algorithm: constants.SUPPORTED_LB_ALGORITHMS,
    models.Protocol: constants.SUPPORTED_PROTOCOLS,
    models.SessionPersistenceType: constants.SUPPORTED_SP_TYPES,
    models.AmphoraRoles: constants.SUPPORTED_AMPHORA_ROLES,
    models.LBTopology: constants.SUPPORTED_LB_TOPOLOGIES,
    models.VRRPAuthMethod: constants.SUPPORTED_VRRP_AUTH,
    models.L7RuleType: constants.SUPPORTED_L7RULE_TYPES,
    models.L7RuleCompareType: constants.SUPPORTED_L7RULE_COMPARE_TYPES,
    models.L7PolicyAction: constants.SUPPORTED_L7POLICY_ACTIONS,
    models.ClientAuthenticationMode: constants.SUPPORTED_CLIENT_AUTH_MODES,
}
"""Tables of names that upstream's migrations fill."""

REPORTED = {
    constants.MEMBERS: (models.Member, "pool"),
    constants.HEALTHMONITORS: (models.HealthMonitor, "pool"),
    constants.POOLS: (models.Pool, "load_balancer"),
    constants.L7RULES: (models.L7Rule, "l7policy"),
    constants.L7POLICIES: (models.L7Policy, "listener"),
    constants.LISTENERS: (models.Listener, "load_balancer"),
    constants.LOADBALANCERS: (models.LoadBalancer, None),
}
"""What a provider reports on, by the name that its report has for it, and what that is a part of."""

PARENT = dict(REPORTED.values())
NETWORK = noop_network._NOOP_MANAGER_VARS

ONCE_ACTIVE = (models.L7Policy, models.L7Rule, models.HealthMonitor)
"""What upstream's own provider calls ONLINE when it is active and enabled."""


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Upstream has a log of its own."""


class Upstream:
    """Upstream's application, with our two requests in front."""

    def __init__(self) -> None:
        self._app = setup_app(argv=sys.argv)
        base_models.BASE.metadata.create_all(api.get_engine())
        fill()
        self._empty = State()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/-/settle":
                settle()
            case "/-/wipe":
                self._empty.restore()
            case _:
                return self._play(environ, start)
        start("204 No Content", [])
        return []

    def _play(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" or "HTTP_X_PLAIN" in environ:
            return self._app(environ, start)
        before, statuses = State(), []

        def started(status: str, *more: Any) -> Any:
            statuses.append(status)
            return start(status, *more)

        answer = list(self._app(environ, started))
        if "HTTP_X_UNDO" in environ or statuses[-1] >= "4":
            before.restore()
        return answer


class State:
    """All that upstream knows at one moment: its database, and what its no-op network was asked about."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:")
        connection().backup(self._database)
        self._network = {name: copy.copy(part) for name, part in NETWORK.items()}

    def restore(self) -> None:
        self._database.backup(connection())
        NETWORK.update({name: copy.copy(part) for name, part in self._network.items()})


def connection() -> sqlite3.Connection:
    """Give the one connection that a database in memory has."""
    return api.get_engine().raw_connection().driver_connection


def fill() -> None:
    """Put in what the migrations do."""
    with session() as opened, opened.begin():
        for model, names in LOOKUPS.items():
            opened.add_all(model(name=name) for name in names)
        opened.flush()
        nothing = constants.NIL_UUID
        opened.add(models.FlavorProfile(id=nothing, name="none", provider_name="none", flavor_data="{}"))
        zones = {"name": "none", "provider_name": "none", "availability_zone_data": "{}"}
        opened.add(models.AvailabilityZoneProfile(id=nothing, **zones))
        opened.flush()
        opened.add(models.Flavor(id=nothing, flavor_profile_id=nothing, name="none", enabled=False))
        opened.add(models.AvailabilityZone(name=nothing, availability_zone_profile_id=nothing, enabled=False))


def settle() -> None:
    """Report all that is pending as done, as a provider would: through upstream's own driver agent."""
    with session() as opened, opened.begin():
        report = {name: records(opened, model) for name, (model, _) in REPORTED.items()}
        report[constants.MEMBERS] += unwatched(opened)
    answer = DriverUpdater().update_loadbalancer_status(report)
    assert answer["status_code"] == 200, answer


def unwatched(opened: Session) -> list[dict[str, str]]:
    """Give what is said of the members that lose their monitor."""
    monitors = opened.query(models.HealthMonitor).options(lazyload("*"))
    return [
        {"id": member.id, "operating_status": constants.NO_MONITOR}
        for monitor in monitors
        if is_gone(monitor) and not is_gone(monitor.pool)
        for member in monitor.pool.members
    ]


def records(opened: Session, model: Any) -> list[dict[str, str]]:
    found = []
    for row in opened.query(model).options(lazyload("*")):
        if is_gone(row):
            found.append({"id": row.id, "provisioning_status": constants.DELETED})
        elif row.provisioning_status.startswith("PENDING"):
            record = {"id": row.id, "provisioning_status": constants.ACTIVE}
            if isinstance(row, ONCE_ACTIVE):
                record["operating_status"] = constants.ONLINE if row.enabled else constants.OFFLINE
            found.append(record)
    return found


def is_gone(row: Any) -> bool:
    """Whether it is being deleted, or what it is a part of."""
    parent = PARENT[type(row)]
    return row.provisioning_status == constants.PENDING_DELETE or (parent is not None and is_gone(getattr(row, parent)))


def session() -> Session:
    return api.get_session()


def main() -> None:
    port = int(sys.argv.pop())
    upstream = Upstream()
    gc.set_threshold(100_000)  # a tenth of the time went into looking for garbage
    make_server("127.0.0.1", port, upstream, handler_class=Quiet).serve_forever()


main()
