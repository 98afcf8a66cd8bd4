"""
Where vendors' drivers report and ask: octavia-lib's three Unix sockets, for drivers in this process and for their helpers.

Whoever may open the sockets is trusted as a driver is. Statuses go to the planner, statistics to health; objects come
from the read model.
"""

import asyncio
import contextlib
import logging
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from actium_api.access.callers import Caller, Identity
from actium_api.asks import Asks
from actium_api.drivers import frames
from actium_api.faults import Fault
from actium_api.read_model import proposals, wishes
from actium_api.read_model.load_balancer_rows import BY_KIND
from actium_shared.commands.health import ReportStatistics
from actium_shared.commands.planner import ReportStatus
from actium_shared.errors import PermanentError, SettingsError
from actium_shared.ids import ListenerId, LoadBalancerId
from actium_shared.proposals import DELETED, KINDS, ObjectStatus
from actium_shared.read_model import Database
from actium_shared.statistics import ListenerTotals

log = logging.getLogger(__name__)

STATUS, STATISTICS, GET = "status.sock", "stats.sock", "get.sock"
EXCHANGE_TIMEOUT_S = 30.0
"""As long as octavia-lib waits for an answer."""

OK: Mapping[str, object] = {"status_code": 200}
PLURALS = {
    plural: kind
    for kind, plural in zip(KINDS, (*(f"{kind}s" for kind in KINDS[:5]), "l7policies", "l7rules"), strict=True)
}
"""What messages call a list of objects -> their kind."""

FIGURES = ListenerTotals.__struct_fields__
DRIVERS = Identity(user_id="driver-agent", project_id="", roles=frozenset())
Document = dict[str, Any]
T = TypeVar("T")


class RefusedError(Exception):
    """A record cannot be taken; told to the driver in the words that octavia-lib knows."""

    def __init__(self, fault: str, kind: str, object_id: str) -> None:
        super().__init__(fault)
        self.fault, self.kind, self.object_id = fault, kind, object_id


class DriverAgent:
    """The three sockets, in one folder; `mode` says who may open them."""

    def __init__(self, asks: Asks, database: Database, *, folder: Path, mode: int = 0o660) -> None:
        self._asks, self._database = asks, database
        self._folder, self._mode = folder, mode

    async def run(self) -> None:
        """
        Serve until cancelled.

        Raises:
            SettingsError: the sockets cannot be made.
        """
        async with AsyncExitStack() as stack:
            for name, answer in ((STATUS, self.status), (STATISTICS, self.statistics), (GET, self.get)):
                await stack.enter_async_context(await self._listen(name, answer))
            log.info("drivers can report", extra={"folder": str(self._folder)})
            await asyncio.Event().wait()

    async def _listen(self, name: str, answer: Callable[[Document], Awaitable[object]]) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._exchange(reader, writer, name, answer)

        path = self._folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # of a process that was killed
            server = await asyncio.start_unix_server(connected, path)
            path.chmod(self._mode)
        except OSError as exc:
            raise SettingsError(f"setting ACTIUM_DRIVER_AGENT_FOLDER: cannot listen on {path}: {exc}") from exc
        return server

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        name: str,
        answer: Callable[[Document], Awaitable[object]],
    ) -> None:
        try:
            async with asyncio.timeout(EXCHANGE_TIMEOUT_S):
                await frames.send(writer, await answer(await frames.receive(reader)))
        except (PermanentError, TimeoutError, OSError) as exc:
            log.warning("driver not answered", extra={"socket": name, "error": str(exc)})
        except Exception:  # the next exchange is another matter
            log.exception("driver not answered", extra={"socket": name})
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    # -- statuses

    async def status(self, document: Document) -> object:
        """Hand a driver's words about objects to the planner, those of one load balancer together."""
        try:
            for load_balancer_id, statuses in (await self._by_load_balancer(_statuses(document))).items():
                await self._report(load_balancer_id, statuses)
        except RefusedError as exc:
            return _failed(exc, "status_object", "status_object_id")
        return OK

    async def _by_load_balancer(self, statuses: Sequence[ObjectStatus]) -> Mapping[str, list[ObjectStatus]]:
        found: defaultdict[str, list[ObjectStatus]] = defaultdict(list)
        for status in statuses:
            owner = await self._owner(status.kind, status.id)
            if owner is not None:
                found[owner].append(status)
            elif status.provisioning_status != DELETED:  # what is gone is not missed
                raise RefusedError(f"{status.kind} {status.id} is not known", status.kind, status.id)
        return found

    async def _owner(self, kind: str, object_id: str) -> str | None:
        def query(connection: sa.Connection) -> str | None:
            known = wishes.owner(connection, BY_KIND[kind], object_id)
            return known or proposals.naming(connection, object_id)

        return await self._database.read(query)

    async def _report(self, load_balancer_id: str, statuses: Sequence[ObjectStatus]) -> None:
        command = ReportStatus(load_balancer_id=LoadBalancerId(load_balancer_id), statuses=tuple(statuses))
        try:
            await self._asks.decide(command, caller=_caller())
        except Fault as exc:
            raise RefusedError(exc.message, statuses[0].kind, statuses[0].id) from exc

    # -- statistics

    async def statistics(self, document: Document) -> object:
        """Hand a driver's figures to health."""
        try:
            found: defaultdict[str, dict[ListenerId, ListenerTotals]] = defaultdict(dict)
            for listener_id, totals in _figures(document):
                found[await self._owner_of_listener(listener_id)][ListenerId(listener_id)] = totals
            for load_balancer_id, listeners in found.items():
                await self._tell_health(load_balancer_id, listeners)
        except RefusedError as exc:
            return _failed(exc, "stats_object", "stats_object_id")
        return OK

    async def _owner_of_listener(self, listener_id: str) -> str:
        owner = await self._owner("listener", listener_id)
        if owner is None:
            raise RefusedError(f"listener {listener_id} is not known", "listeners", listener_id)
        return owner

    async def _tell_health(self, load_balancer_id: str, listeners: Mapping[ListenerId, ListenerTotals]) -> None:
        provider = await self._database.read(lambda connection: wishes.provider(connection, load_balancer_id))
        command = ReportStatistics(
            load_balancer_id=LoadBalancerId(load_balancer_id), provider=provider or "", listeners=listeners
        )
        try:
            await self._asks.confirm(command, caller=_caller())
        except Fault as exc:
            raise RefusedError(exc.message, "listeners", next(iter(listeners))) from exc

    # -- objects

    async def get(self, document: Document) -> object:
        """Give an object as octavia-lib's data model in a dict, an empty one where there is none."""
        from actium_api.drivers.vendor_objects import find

        kind, object_id = PLURALS.get(str(document.get("object"))), document.get("id")
        if kind is None or not isinstance(object_id, str):
            raise PermanentError(f"object must be one of {', '.join(PLURALS)}, and id a text")

        def query(connection: sa.Connection) -> object:
            owner = wishes.owner(connection, BY_KIND[kind], object_id)
            tree = None if owner is None else wishes.tree(connection, owner)
            return {} if tree is None else find(tree, kind, object_id)

        return await self._database.read(query)


def _statuses(document: Document) -> list[ObjectStatus]:
    """
    Read the records.

    Raises:
        RefusedError: one is malformed.
    """
    found: list[ObjectStatus] = []
    for plural, records in document.items():
        kind = PLURALS.get(plural)
        if kind is None:
            raise RefusedError(f"'{plural}' is not known; known are {', '.join(PLURALS)}", plural, "")
        found += [
            _converted({**_record(record, plural), "kind": kind}, ObjectStatus, plural) for record in records or ()
        ]
    return found


def _figures(document: Document) -> list[tuple[str, ListenerTotals]]:
    found = []
    for record in document.get("listeners") or ():
        known = _record(record, "listeners")
        lacking = [name for name in ("id", *FIGURES) if name not in known]
        if lacking:
            raise RefusedError(f"'{lacking[0]}' is missing", "listeners", str(known.get("id", "")))
        figures = {name: known[name] for name in FIGURES}
        found.append((str(known["id"]), _converted(figures, ListenerTotals, "listeners", str(known["id"]))))
    return found


def _record(record: object, plural: str) -> Document:
    if not isinstance(record, dict):
        raise RefusedError("a record must be an object", plural, "")
    return record


def _converted(fields: Document, wanted: type[T], plural: str, object_id: str = "") -> T:
    try:
        return msgspec.convert(fields, wanted)
    except msgspec.ValidationError as exc:
        raise RefusedError(str(exc), plural, object_id or str(fields.get("id", ""))) from exc


def _failed(refused: RefusedError, object_name: str, id_name: str) -> Mapping[str, object]:
    log.info("driver's report refused", extra={"kind": refused.kind, "id": refused.object_id, "why": refused.fault})
    plural = next((name for name, kind in PLURALS.items() if kind == refused.kind), refused.kind)
    return {
        "status_code": 500,
        "fault_string": refused.fault,
        object_name: plural,
        id_name: refused.object_id,
    }


def _caller() -> Caller:
    return Caller(identity=DRIVERS, request_id=f"req-{uuid.uuid4()}")
