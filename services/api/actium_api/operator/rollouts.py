"""`/rollouts`: amphorae of an image, certificate or age replaced in waves. The planner decides; this asks and shows."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa
from starlette.requests import Request

from actium_api.asks import Asks
from actium_api.faults import Fault
from actium_api.operator.errors import OperatorError
from actium_api.operator.operators import operator_of, posted
from actium_api.read_model.tables import ROLLOUTS
from actium_shared.commands.planner import (
    AbortRollout,
    PauseRollout,
    ResumeRollout,
    RolloutCommand,
    StartRollout,
)
from actium_shared.ids import RolloutId
from actium_shared.rollouts import Selection

REASON_MOST = 1000


class NewRollout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As `StartRollout`. Who gives it an `id` may repeat it without harm."""

    selection: Selection
    id: str | None = None
    to_image_tag: str | None = None
    wave_size: int = 1
    wave_percent: int = 0
    pause_between_s: float = 0.0
    max_failures: int = 0


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, for those who read the log."""

    reason: str = ""


async def start(request: Request) -> str:
    """Have one begin, and give its id."""
    wish = await posted(request, NewRollout)
    rollout_id = RolloutId(_uuid(wish.id) if wish.id is not None else str(uuid4()))
    given = {name: value for name, value in msgspec.structs.asdict(wish).items() if name != "id"}
    await _decide(request, StartRollout(rollout_id=rollout_id, **given))
    return rollout_id


async def pause(request: Request) -> None:
    await _decide(request, PauseRollout(rollout_id=_id(request), reason=await _reason(request)))


async def resume(request: Request) -> None:
    await _decide(request, ResumeRollout(rollout_id=_id(request)))


async def abort(request: Request) -> None:
    await _decide(request, AbortRollout(rollout_id=_id(request), reason=await _reason(request)))


def listed(connection: sa.Connection) -> list[dict[str, Any]]:
    """Give all rollouts, the newest first."""
    query = sa.select(ROLLOUTS).order_by(ROLLOUTS.c.started.desc())
    return [_shown(row) for row in connection.execute(query).mappings()]


def one(connection: sa.Connection, rollout_id: str) -> dict[str, Any]:
    """
    Give one rollout.

    Raises:
        OperatorError: there is none with this id.
    """
    row = connection.execute(sa.select(ROLLOUTS).where(ROLLOUTS.c.id == rollout_id)).mappings().one_or_none()
    if row is None:
        raise OperatorError(404, f"Rollout {rollout_id} not found.")
    return _shown(row)


def _shown(row: sa.RowMapping) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "started"}


async def _decide(request: Request, command: RolloutCommand) -> None:
    asks: Asks = request.app.state.asks
    try:
        await asks.decide(command, caller=operator_of(request))
    except Fault as exc:
        raise OperatorError(exc.status, exc.message) from exc


async def _reason(request: Request) -> str:
    reason = (await posted(request, Word)).reason.strip()
    if len(reason) > REASON_MOST:
        raise OperatorError(400, f"must have {REASON_MOST} characters at most", field="reason")
    return reason


def _id(request: Request) -> RolloutId:
    return RolloutId(str(request.path_params["rollout_id"]))


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as exc:
        raise OperatorError(400, f"must be a UUID, and is {text!r}", field="id") from exc
