"""What requests hold: the body of each route, and the query parameters of a collection."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from pydantic.json_schema import models_json_schema

from actium_api.idempotency import HEADER, KEY_MOST
from actium_api.listing import DIRECTIONS, TAG_PARAMETERS, Collection
from actium_api.openapi.replies import NUMBER, TEXT, TEXTS, Schema, list_of, named
from actium_api.schemas.availability_zone import (
    AvailabilityZonePost,
    AvailabilityZoneProfilePost,
    AvailabilityZoneProfilePut,
    AvailabilityZonePut,
)
from actium_api.schemas.fields import Body
from actium_api.schemas.flavor import FlavorPost, FlavorProfilePost, FlavorProfilePut, FlavorPut
from actium_api.schemas.health_monitor import HealthMonitorPost, HealthMonitorPut
from actium_api.schemas.l7_policy import L7PolicyPost, L7PolicyPut
from actium_api.schemas.l7_rule import L7RulePost, L7RulePut
from actium_api.schemas.listener import ListenerPost, ListenerPut
from actium_api.schemas.load_balancer import LoadBalancerPost, LoadBalancerPut
from actium_api.schemas.member import MemberPost, MemberPut
from actium_api.schemas.pool import PoolPost, PoolPut
from actium_api.schemas.quota import QuotaPut

BODIES: Mapping[str, tuple[type[Body] | None, type[Body]]] = {
    "loadbalancer": (LoadBalancerPost, LoadBalancerPut),
    "listener": (ListenerPost, ListenerPut),
    "pool": (PoolPost, PoolPut),
    "member": (MemberPost, MemberPut),
    "healthmonitor": (HealthMonitorPost, HealthMonitorPut),
    "l7policy": (L7PolicyPost, L7PolicyPut),
    "rule": (L7RulePost, L7RulePut),
    "flavor": (FlavorPost, FlavorPut),
    "flavorprofile": (FlavorProfilePost, FlavorProfilePut),
    "availability_zone": (AvailabilityZonePost, AvailabilityZonePut),
    "availability_zone_profile": (AvailabilityZoneProfilePost, AvailabilityZoneProfilePut),
    "quota": (None, QuotaPut),
}
"""Per wrapping key: what a POST holds, and what a PUT."""

RENAMED = {"ge": "minimum", "le": "maximum"}
"""Of a type that does its own coercion pydantic gives bounds by its own names."""

PLAIN = {"title", "default"}
"""Said twice otherwise, or not a rule."""


def schemas() -> dict[str, Schema]:
    """Give the schema of every body and of what is in them, by name."""
    models = [model for pair in BODIES.values() for model in pair if model is not None]
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=named("{model}")["$ref"])
    return {name: _tidy(schema) for name, schema in found["$defs"].items()}


def _tidy(value: Any, *, named_by_users: bool = False) -> Any:
    match value:
        case dict() if named_by_users:
            return {name: _tidy(inner) for name, inner in value.items()}
        case dict():
            return {
                RENAMED.get(name, name): _tidy(inner, named_by_users=name == "properties")
                for name, inner in value.items()
                if name not in PLAIN
            }
        case list():
            return [_tidy(inner) for inner in value]
        case _:
            return value


def body(key: str, method: str) -> Schema | None:
    """Give what the request holds, in its wrapper."""
    post, put = BODIES.get(key, (None, None))
    model = post if method == "POST" else put
    return None if model is None else wrapped(key, named(model.__name__))


def batch() -> Schema:
    """Give the body of a batch of members."""
    return wrapped("members", list_of(named(MemberPost.__name__)))


def wrapped(key: str, schema: Schema) -> Schema:
    return {"type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": False}


def of_collection(collection: Collection) -> Iterator[Schema]:
    """Give a collection's query parameters."""
    for name, column in collection.filters.items():
        yield query(name, _column(column))
    yield query("limit", {"anyOf": [NUMBER, {"const": "infinite"}]})
    yield query("marker", TEXT)
    yield query("page_reverse", {"enum": ["True"]})
    for name in ("sort", "sort_key", "sort_dir"):
        yield query(name, {"enum": [*DIRECTIONS]} if name == "sort_dir" else TEXT)
    yield query("fields", TEXTS)
    if collection.tagged:
        for name in TAG_PARAMETERS:
            yield query(name, TEXT)


def _column(column: sa.Column[Any]) -> Schema:
    if isinstance(column.type, sa.Boolean):
        return {"type": "boolean"}
    return NUMBER if isinstance(column.type, sa.Integer) else TEXT


def query(name: str, schema: Schema) -> Schema:
    return {"name": str(name), "in": "query", "schema": schema}  # SQLAlchemy has a string type of its own


IDEMPOTENCY: Schema = {
    "name": HEADER,
    "in": "header",
    "description": "The same POST again with the same key makes nothing new.",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{KEY_MOST}}}$"},
}
