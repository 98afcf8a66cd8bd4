"""What is known of an amphora only as long as this process lives: it is found out again after a start."""

from dataclasses import dataclass, field

from actium_shared.ids import PortId


@dataclass(slots=True)
class Acquaintance:
    """
    `runs`: its machine is on, as far as we know. `checked`: we have seen what its agent runs.

    `locked_out`: its agent's certificate is none that we can accept, so nothing can be told it any more.
    `plugged`: ports that we have seen plugged in; less than there are, never more. `secrets_changed`: how often secrets
    that it uses were replaced or deleted: what was rendered before the last time proves nothing.
    """

    runs: bool = True
    checked: bool = False
    locked_out: bool = False
    plugged: set[PortId] = field(default_factory=set)
    secrets_changed: int = 0

    def rebooted(self) -> None:
        """The machine is a new one, and nothing is plugged in."""
        self.checked = False
        self.locked_out = False
        self.plugged.clear()

    def note_changed_secret(self) -> None:
        """What it runs may hold an old one."""
        self.secrets_changed += 1
        self.checked = False

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
