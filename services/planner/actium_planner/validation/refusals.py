"""Refusals, one word for each reason that validation gives."""

from collections.abc import Iterator

from actium_shared.message import Reason, Rejected

Refusals = Iterator[Rejected]
"""What is wrong, lazily: a later check may rely on what the earlier ones have let pass."""


def invalid(detail: str, *, field: str | None = None) -> Rejected:
    return Rejected(reason=Reason.INVALID, detail=detail, field=field)


def conflict(detail: str, *, field: str | None = None) -> Rejected:
    return Rejected(reason=Reason.CONFLICT, detail=detail, field=field)


def unsupported(detail: str, *, field: str | None = None) -> Rejected:
    return Rejected(reason=Reason.UNSUPPORTED, detail=detail, field=field)


def missing(kind: str, object_id: str) -> Rejected:
    return Rejected(reason=Reason.NOT_FOUND, detail=f"{kind} {object_id} not found.")
