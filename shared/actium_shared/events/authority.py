"""
What happens to the authority that amphorae and the controller trust: written by compute, which holds its key.

Field names are the storage format.
"""

from typing import ClassVar

from actium_shared.message import Event


class AuthorityTurned(Event, frozen=True, kw_only=True):
    """
    A step of putting another authority into the place of `authority`'s is in force from now on.

    `edition` grows with each step but the last, which is that the old one is trusted no more; `phase` is for people, and
    `reason` is the operator's who asked for it.
    """

    TYPE: ClassVar[str] = "authority.turned"

    authority: str
    edition: int
    phase: str
    reason: str = ""


EVENTS = (AuthorityTurned,)
