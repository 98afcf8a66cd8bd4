"""What is known of an amphora only as long as this process lives: it is found out again after a start."""

import asyncio
from dataclasses import dataclass, field

from actium_shared.ids import PortId


@dataclass(slots=True)
class Acquaintance:
    """
    `runs`: its machine is on, as far as we know. `checked`: we have seen what its agent runs, not long ago. `proven`: the
    digest of what it should run, as it was rendered last; none where that has to be done again; and until when its logs were granted.

    `locked_out`: its agent's certificate is none that we can accept, so nothing can be told it any more.
    `plugged`: ports that we have seen plugged in; less than there are, never more. `secrets_changed`: how often secrets
    that it uses were replaced or deleted: what was rendered before the last time proves nothing.

    `given_edition`: of the credentials that it was booted with, 0 where that was before our time. `keeps_authority`: its
    agent is of an image that cannot be given another one. `turn` is held by whoever changes what it runs.
    """

    runs: bool = True
    checked: bool = False
    proven: tuple[str, int] | None = None
    locked_out: bool = False
    plugged: set[PortId] = field(default_factory=set)
    secrets_changed: int = 0
    given_edition: int = 0
    keeps_authority: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def rebooted(self) -> None:
        """The machine is a new one, and nothing is plugged in."""
        self.checked = False
        self.locked_out = False
        self.keeps_authority = False
        self.plugged.clear()

    def note_changed_secret(self) -> None:
        """What it runs may hold an old one."""
        self.secrets_changed += 1
        self.checked = False
        self.proven = None

    def note_checked(self, *, secrets_changed: int) -> None:
        """It runs what it should, by the secrets as they were after so many changes."""
        self.checked = self.secrets_changed == secrets_changed


class Acquaintances:
    """All of them."""

    def __init__(self) -> None:
        self._known: dict[str, Acquaintance] = {}

    def of(self, amphora_id: str) -> Acquaintance:
        return self._known.setdefault(amphora_id, Acquaintance())

    def locked_out(self) -> list[str]:
        return sorted(amphora_id for amphora_id, known in self._known.items() if known.locked_out)

    def forget(self, amphora_id: str) -> None:
        self._known.pop(amphora_id, None)
