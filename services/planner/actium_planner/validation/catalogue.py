"""Rules that the catalogue's resources share."""

from actium_planner.validation.refusals import conflict, invalid
from actium_shared.message import Rejected

RESERVED = "00000000-0000-0000-0000-000000000000"
"""A placeholder in upstream's data: nothing may have it as its id or name."""


def already(kind: str, name: str) -> Rejected:
    return conflict(f"There is a {kind} named '{name}' already.", field="name")


def in_use(kind: str, object_id: str, by: str) -> Rejected:
    return conflict(f"{kind} {object_id} is in use by {by}.")


def unknown_profile(field: str, profile_id: str) -> Rejected:
    return invalid(f"Invalid input for field/attribute {field}. There is no profile {profile_id}.", field=field)


def reserved(field: str, value: str) -> Rejected | None:
    """Give the refusal when a value is the reserved one."""
    if value != RESERVED:
        return None
    return invalid(f"Invalid input for field/attribute {field}. {RESERVED} is reserved.", field=field)
