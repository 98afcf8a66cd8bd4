"""
Secrets, as operators put, list and delete them.

What is posted is sealed to compute's key before anything else is done with it; it is neither kept nor logged here.
"""

import ipaddress

import msgspec
from starlette.requests import Request

from actium_api.access.callers import caller
from actium_api.asks import Asks
from actium_api.faults import Fault
from actium_api.operator.errors import BadQueryError, OperatorError
from actium_api.operator.events import parse_truth
from actium_api.operator.operators import operator_of
from actium_api.read_model import secrets_kept
from actium_api.read_model.secrets_kept import KeptSecret
from actium_shared.commands.compute import DeleteSecret, PutSecret, SecretKind, sealing_context
from actium_shared.ids import Ids, ProjectId, SecretRef
from actium_shared.read_model import Database
from actium_shared.sealing import seal

SCHEME = "actium:secret/"
"""References that we make up: no address, as nobody but Actium can read what is behind them."""

MOST_BYTES = 2 * 1024 * 1024
"""Of a body; what compute keeps is less, and base64 makes a third more of it."""

CONFLICT = 409
BY_FORCE = "By force it is deleted all the same; they then cannot be changed any more"


class SecretPost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`content` is PEM or PKCS#12 in base64. With a `ref` it takes the place of what is there, and its name if none is given."""

    content: bytes
    name: str | None = None
    ref: str | None = None
    project_id: str | None = None
    kind: str = ""

    def __repr__(self) -> str:
        return f"SecretPost(name={self.name!r}, ref={self.ref!r})"


async def listed(request: Request) -> list[KeptSecret]:
    return await _database(request).read(secrets_kept.kept)


async def put(request: Request) -> tuple[KeptSecret, bool]:
    """Have a secret kept; give it as it is now, and whether it is new."""
    posted = await _posted(request)
    known = await _find(request, posted.ref) if posted.ref else None
    ids: Ids = request.app.state.ids
    ref = SecretRef(posted.ref or f"{SCHEME}{ids.new()}")
    project_id = ProjectId(posted.project_id or (known.project_id if known else caller(request).project_id))
    asks = _asks(request)
    try:
        key = await asks.find_sealing_key(project_id, caller=caller(request))
        sealed = seal(posted.content, key, context=sealing_context(project_id, ref))
        name = posted.name if posted.name is not None else known.name if known else ""
        wish = PutSecret(project_id=project_id, secret_ref=ref, name=name, sealed=sealed, kind=posted.kind)
        await asks.decide(wish, caller=operator_of(request))
    except Fault as exc:
        raise OperatorError(exc.status, exc.message) from exc
    kept = await _find(request, ref)
    if kept is None:
        raise OperatorError(409, f"secret {ref} was deleted in this moment")
    return kept, known is None


async def delete(request: Request) -> None:
    """Have a secret forgotten, unless it is in use; with `force` also then."""
    for name in request.query_params:
        if name not in ("ref", "force"):
            raise BadQueryError(name, "unknown parameter; known are ref, force")
    ref = request.query_params.get("ref", "")
    known = await _find(request, ref)
    if known is None:
        raise OperatorError(404, f"there is no secret {ref!r}", field="ref")
    forced = parse_truth("force", request.query_params.get("force", "false"))
    if known.used_by and not forced:
        users = ", ".join(f"{each.name or 'without a name'} ({each.id})" for each in known.used_by)
        raise OperatorError(CONFLICT, f"load balancers use it: {users}. {BY_FORCE}")
    # Compute decides: what amphorae are told to run may name it still, whatever is wished for by now.
    command = DeleteSecret(project_id=ProjectId(known.project_id), secret_ref=SecretRef(ref), unless_used=not forced)
    try:
        await _asks(request).decide(command, caller=operator_of(request))
    except Fault as exc:
        more = f" {BY_FORCE}" if exc.status == CONFLICT else ""
        raise OperatorError(exc.status, f"{exc.message}{more}") from exc


async def _posted(request: Request) -> SecretPost:
    _check_way(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise OperatorError(413, f"the body must not exceed {MOST_BYTES} bytes")
    try:
        posted = msgspec.json.decode(body, type=SecretPost)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise OperatorError(400, f"the body cannot be read: {exc}") from None  # the trace would hold the body
    if posted.kind not in ("", *SecretKind):
        raise OperatorError(400, f"must be one of {', '.join(SecretKind)}, not {posted.kind!r}", field="kind")
    return posted


def _check_way(request: Request) -> None:
    """Private keys are not sent in clear over a network, and no web page can have a browser post one here."""
    host = request.client.host if request.client else ""
    if not _is_loopback(host):
        raise OperatorError(403, f"secrets are put from the host of the API itself, not from {host or 'elsewhere'}")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise OperatorError(415, f"the body must be application/json, not {content_type or 'of no type'}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _find(request: Request, ref: str) -> KeptSecret | None:
    return await _database(request).read(lambda connection: secrets_kept.find(connection, ref))


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _asks(request: Request) -> Asks:
    asks: Asks = request.app.state.asks
    return asks
