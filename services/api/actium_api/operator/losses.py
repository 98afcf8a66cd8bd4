"""`/losses`: amphorae that are judged lost, or would be if a limit did not hold that back; and letting go of the latter."""

import msgspec
from starlette.requests import Request

from actium_api.asks import Asks
from actium_api.faults import Fault
from actium_api.operator import fleet
from actium_api.operator.errors import OperatorError
from actium_api.operator.fleet import FleetMember
from actium_api.operator.operators import good_reason, operator_of, posted
from actium_api.read_model.amphora_rows import HELD_BACK, LOST
from actium_shared.bus import Bus
from actium_shared.commands.health import ReleaseHeldLosses
from actium_shared.read_model import Database

VERDICTS = {"held_back": HELD_BACK, "lost": LOST}


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a storm is real, for those who read the log; on which host, or on all."""

    reason: str
    host: str = ""


async def listed(bus: Bus, database: Database) -> dict[str, list[FleetMember]]:
    """Give those that are held back, and those that are lost and not gone yet."""
    heard = await fleet.last_heard(bus)
    members = await database.read(lambda connection: fleet.amphorae(connection, heard))
    return {name: [each for each in members if each.verdict == verdict] for name, verdict in VERDICTS.items()}


async def release(request: Request) -> None:
    """Have what is held back judged now."""
    word = await posted(request, Release)
    asks: Asks = request.app.state.asks
    command = ReleaseHeldLosses(host=word.host, reason=good_reason(word.reason))
    try:
        await asks.decide(command, caller=operator_of(request))
    except Fault as exc:
        raise OperatorError(exc.status, exc.message) from exc
