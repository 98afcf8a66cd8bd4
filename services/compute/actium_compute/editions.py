"""
Which authority certifies, and which are trusted: numbered editions, so that one authority can follow another.

Pure. Every amphora is given what its edition says; the next one begins when all have taken it. In order: all trust the new
authority, too; all have a certificate of it; the controller has one, and nobody trusts the old one any more.
"""

from enum import StrEnum

import msgspec

from actium_shared.message import Actor


class Phase(StrEnum):
    """What a replacement is waiting for; `SETTLED`: none is under way."""

    SETTLED = "settled"
    INTRODUCING = "all amphorae shall trust the new authority, too"
    CERTIFYING = "all amphorae shall have a certificate of the new authority"
    RETIRING = "no amphora shall trust the old authority any more"


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """
    What counts now. Authorities are named by number, from 1.

    `issuer` certifies amphorae and `controller` certified us; amphorae are told to trust those in `given`, and we trust
    those in `trusted`.
    """

    number: int = 1
    issuer: int = 1
    controller: int = 1
    given: tuple[int, ...] = (1,)
    trusted: tuple[int, ...] = (1,)
    reason: str = ""
    """Why the last replacement was begun, and by whom: for the log, which may be told later than this is kept."""

    asked_by: Actor | None = None

    @property
    def phase(self) -> Phase:
        if len(self.trusted) == 1:
            return Phase.SETTLED
        if len(self.given) == 1:
            return Phase.RETIRING
        return Phase.INTRODUCING if self.issuer == self.trusted[0] else Phase.CERTIFYING


def introduced(now: Edition, *, reason: str = "", asked_by: Actor | None = None) -> Edition:
    """Begin a replacement: one more authority is trusted, and has yet to certify anybody."""
    both = (now.issuer, now.issuer + 1)
    return msgspec.structs.replace(
        now, number=now.number + 1, given=both, trusted=both, reason=reason, asked_by=asked_by
    )


def advanced(now: Edition) -> Edition:
    """Give what follows when everybody has taken `now`."""
    new = now.trusted[-1]
    match now.phase:
        case Phase.INTRODUCING:
            return msgspec.structs.replace(now, number=now.number + 1, issuer=new)
        case Phase.CERTIFYING:
            return msgspec.structs.replace(now, number=now.number + 1, controller=new, given=(new,))
        case Phase.RETIRING:
            return msgspec.structs.replace(now, trusted=(new,))
        case Phase.SETTLED:
            return now
