"""What is known of an amphora only as long as this process lives: it is found out again after a start."""

from dataclasses import dataclass, field

from actium_shared.ids import PortId


@dataclass(slots=True)
class Acquaintance:
    """
    `runs`: its machine is on, as far as we know. `checked`: we have seen what its agent runs.

    `plugged`: ports that we have seen plugged in; less than there are, never more.
    """

    runs: bool = True
    checked: bool = False
    plugged: set[PortId] = field(default_factory=set)

    def rebooted(self) -> None:
        """The machine is a new one, and nothing is plugged in."""
        self.checked = False
        self.plugged.clear()


class Acquaintances:
    """All of them."""

    def __init__(self) -> None:
        self._known: dict[str, Acquaintance] = {}

    def of(self, amphora_id: str) -> Acquaintance:
        return self._known.setdefault(amphora_id, Acquaintance())

    def forget(self, amphora_id: str) -> None:
        self._known.pop(amphora_id, None)
