"""
`/v1/commands`: the driver API, for load-balancing drivers that live elsewhere. Commands as JSON, with the caller's ids.

A command that is posted again with the same id is done once; its refusal left no trace, and is decided anew.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from actium_api.access.callers import caller
from actium_api.faults import STATUS_OF, Fault, json_response
from actium_api.requests import document
from actium_api.routes.base import asks_of, route
from actium_shared.commands import planner
from actium_shared.commands.network import ReserveVip, VipReservation
from actium_shared.message import Accepted, Command, Position, Rejected

INTERNAL = (planner.Propose, planner.SettleProposal, planner.ReportStatus)
"""Between this API and the planner, about drivers that are hosted here."""

KNOWN: Mapping[str, type[Command]] = {
    command.TYPE: command for command in (*planner.COMMANDS, ReserveVip) if command not in INTERNAL
}
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


class CommandPost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` is the caller's own; `type`, `version` and `body` are as `GET /v1/commands/schema` shows."""

    id: str
    type: str
    body: dict[str, Any]
    version: int = 1


async def post(request: Request) -> Response:
    sent = _envelope(await document(request))
    command = _command(sent)
    who = caller(request)
    reply = await asks_of(request).answer(command, caller=who, command_id=f"{who.user_id}/{sent.id}")
    match reply:
        case Rejected():
            return _rejected(sent, reply)
        case VipReservation(vip=vip, additional_vips=more, position=position):
            return _accepted(sent, position, {"vip": vip, "additional_vips": more})
        case Accepted(position=position):
            return _accepted(sent, position, {})
        case _:
            raise Fault(500, f"{sent.type} was answered by {reply.TYPE}, which is not known here.")


def _rejected(sent: CommandPost, reply: Rejected) -> Response:
    refusal = {"reason": reply.reason, "detail": reply.detail, "field": reply.field}
    return json_response({"id": sent.id, "outcome": "rejected", **refusal}, status=STATUS_OF[reply.reason])


def _accepted(sent: CommandPost, position: Position, more: Mapping[str, object]) -> Response:
    return json_response({"id": sent.id, "outcome": "accepted", "position": position, **more})


def _envelope(sent: object) -> CommandPost:
    try:
        envelope = msgspec.convert(sent, CommandPost)
    except msgspec.ValidationError as exc:
        raise Fault(400, f"The command cannot be read: {exc}.") from exc
    if ID.fullmatch(envelope.id) is None:
        raise Fault(400, "id must have 1 to 128 characters: letters, digits, and . _ : - behind the first.")
    return envelope


def _command(sent: CommandPost) -> Command:
    known = KNOWN.get(sent.type)
    if known is None:
        raise Fault(400, f"type '{sent.type}' is not known; known are {', '.join(KNOWN)}.")
    if sent.version != known.VERSION:
        raise Fault(400, f"version of {sent.type} must be {known.VERSION}, and is {sent.version}.")
    unknown = sorted(sent.body.keys() - set(known.__struct_fields__))
    if unknown:
        raise Fault(400, f"body.{unknown[0]} is not known; known are {', '.join(known.__struct_fields__)}.")
    try:
        return msgspec.convert(sent.body, known)
    except msgspec.ValidationError as exc:
        raise Fault(400, f"body of {sent.type}: {exc}.") from exc


async def schema(_request: Request) -> Response:
    types = (CommandPost, *KNOWN.values())
    (envelope, *bodies), components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    commands = {
        name: {"version": command.VERSION, "body": body}
        for (name, command), body in zip(KNOWN.items(), bodies, strict=True)
    }
    return json_response({"envelope": envelope, "commands": commands, "$defs": components})


ROUTES = [route("/v1/commands", POST=post), route("/v1/commands/schema", GET=schema)]
