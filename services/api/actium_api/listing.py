"""A collection's query parameters: filters, tags, sorting, paging, fields; and the reply with its links. No SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from actium_api.faults import Fault, RouterFault, raw_response
from actium_api.read_model.queries import PageQuery

TAG_PARAMETERS = {
    "tags": "tags_all",
    "tags-any": "tags_any",
    "not-tags": "not_tags_all",
    "not-tags-any": "not_tags_any",
}
PAGING = frozenset(("limit", "marker", "page_reverse", "sort", "sort_key", "sort_dir", "fields"))
ONCE = frozenset(("limit", "marker", "page_reverse", "sort_key", "sort_dir"))
DIRECTIONS = {"asc": False, "desc": True}
NUMBER_MOST = 2**63 - 1
"""No column holds more, and some databases refuse even to compare."""

TIE_BREAKERS = ("created_at", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """
    One resource's collection.

    `filters` pairs what may be filtered by with its column, `sorts` likewise.
    """

    table: sa.Table
    plural: str
    filters: Mapping[str, sa.Column[Any]]
    links: str = ""
    tagged: bool = True

    @property
    def links_name(self) -> str:
        return self.links or f"{self.plural}_links"


def collection(table: sa.Table, plural: str, *, more: Mapping[str, str] | None = None) -> Collection:
    """Give the collection of a resource's table; `more` maps filters that are no field of the reply to columns."""
    names = {
        "id",
        "project_id",
        "provisioning_status",
        "operating_status",
        "created_at",
        "updated_at",
        *table.info["shown"],
    }
    filters = {name: table.c[name] for name in names}
    filters |= {name: table.c[column] for name, column in (more or {}).items()}
    return Collection(table=table, plural=plural, filters=dict(sorted(filters.items())))


def site_collection(table: sa.Table, plural: str, *, links: str = "", key: str = "id") -> Collection:
    """Give the collection of what operators settle: filtered by what it shows and by its key; there are no tags."""
    filters = {name: table.c[name] for name in sorted({key, *table.info["shown"]})}
    return Collection(table=table, plural=plural, filters=filters, links=links, tagged=False)


def parse(request: Request, of: Collection, *, page_limit: int) -> PageQuery:
    """
    Read the query parameters.

    Raises:
        Fault: an unknown filter, a repeated one, or a value of the wrong type.
        RouterFault: a bad limit or sort direction.
    """
    parameters = request.query_params
    _refuse_repeated(parameters.multi_items(), of)
    return PageQuery(
        filters={
            of.filters[name].name: _filter_value(name, of.filters[name], value)
            for name, value in parameters.items()
            if name in of.filters
        },
        sort=_sort(parameters, of),
        limit=_limit(parameters.get("limit"), page_limit=page_limit),
        marker=parameters.get("marker"),
        reverse=parameters.get("page_reverse") == "True",
        **(_tags(parameters.multi_items()) if of.tagged else {}),
    )


def _refuse_repeated(items: Sequence[tuple[str, str]], of: Collection) -> None:
    seen: set[str] = set()
    for name, _ in items:
        if name in TAG_PARAMETERS or name in ("fields", "sort"):
            continue
        if name not in of.filters and name not in PAGING:
            raise Fault(400, f"Unknown query parameter {name}: {of.plural} can be filtered by {', '.join(of.filters)}.")
        if name in seen:
            raise Fault(400, f"Query parameter {name} is given more than once.")
        seen.add(name)


def _filter_value(name: str, column: sa.Column[Any], text: str) -> object:
    if isinstance(column.type, sa.Boolean):
        if text.lower() not in ("true", "false"):
            raise Fault(400, f"Query parameter {name} must be true or false, and is '{text}'.")
        return text.lower() == "true"
    if isinstance(column.type, sa.Integer | sa.Float):
        return _number(name, column, text)
    return text


def _number(name: str, column: sa.Column[Any], text: str) -> float:
    try:
        number = int(text) if isinstance(column.type, sa.Integer) else float(text)
    except ValueError:
        raise Fault(400, f"Query parameter {name} must be a number, and is '{text:.120}'.") from None
    if not -NUMBER_MOST <= number <= NUMBER_MOST:
        raise Fault(400, f"Query parameter {name} must be at most {NUMBER_MOST}, and is '{text:.120}'.")
    return number


def _limit(text: str | None, *, page_limit: int) -> int:
    if text is None or text == "infinite":
        return page_limit
    try:
        limit = int(text)
    except ValueError:
        raise RouterFault(400, "Bad Request", f"limit must be a whole number, and is '{text}'.") from None
    return min(limit, page_limit) if limit > 0 else page_limit


def _tags(items: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        field: tuple(tag for name, text in items if name == parameter for tag in text.split(",") if tag)
        for parameter, field in TAG_PARAMETERS.items()
    }


def _sort(parameters: Mapping[str, str], of: Collection) -> tuple[tuple[str, bool], ...]:
    wanted = [_sorted_by(part) for part in _parts(parameters.get("sort"))]
    if not wanted:
        keys, directions = _parts(parameters.get("sort_key")), _parts(parameters.get("sort_dir"))
        wanted = [(key, directions[at] if at < len(directions) else "asc") for at, key in enumerate(keys)]
    order: dict[str, bool] = {}
    for key, direction in wanted:
        if key not in of.filters:
            raise Fault(400, f"Cannot sort by {key}: known are {', '.join(of.filters)}.")
        if direction not in DIRECTIONS:
            raise RouterFault(400, "Bad Request", f"Sort direction must be asc or desc, and is '{direction}'.")
        order.setdefault(key, DIRECTIONS[direction])
    for key in TIE_BREAKERS:
        order.setdefault(key, False)
    return tuple(order.items())


def _sorted_by(part: str) -> tuple[str, str]:
    key, colon, direction = part.partition(":")
    return key, direction if colon else "asc"


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def reply(request: Request, of: Collection, query: PageQuery, found: Sequence[tuple[str, bytes]]) -> Response:
    """Give the reply: the stored JSON joined as it is, unless only some fields are asked for."""
    fields = request.query_params.getlist("fields")
    bodies = [only_fields(body, fields) if fields else body for _, body in found]
    links = msgspec.json.encode(_links(request, query, [row_id for row_id, _ in found]))
    return raw_response(b'{"%b":[%b],"%b":%b}' % (of.plural.encode(), b",".join(bodies), of.links_name.encode(), links))


def only_fields(body: bytes, fields: Sequence[str]) -> bytes:
    """Give only these fields of a resource; those that it does not have are passed over."""
    document: dict[str, Any] = msgspec.json.decode(body)
    return msgspec.json.encode({name: value for name, value in document.items() if name in fields})


def _links(request: Request, query: PageQuery, ids: Sequence[str]) -> list[dict[str, str]]:
    links = []
    if query.marker is not None and ids:
        links.append({"rel": "previous", "href": _link(request, query, ids[0], reverse=True)})
    if len(ids) == query.limit:
        links.append({"rel": "next", "href": _link(request, query, ids[-1])})
    return links


def _link(request: Request, query: PageQuery, marker: str, *, reverse: bool = False) -> str:
    parameters = [("limit", str(query.limit))]
    parameters += [
        (name, request.query_params[name]) for name in ("sort", "sort_key", "sort_dir") if name in request.query_params
    ]
    parameters.append(("marker", marker))
    if reverse:
        parameters.append(("page_reverse", "True"))
    url = request.url
    path = request.scope["actium.path"]
    return f"{url.scheme}://{url.netloc}{path}?{urlencode(parameters, safe=':,')}"
