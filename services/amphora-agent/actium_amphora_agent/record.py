"""What is in force, and the files of it: the one place where it is known which bundle the amphora follows."""

from pathlib import Path

from actium_amphora_agent.desired import CHECKS, NFTABLES, InForce
from actium_amphora_agent.store import Store


class Record:
    """`in_force` unless another is named."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.in_force = store.load()

    def keep(self, in_force: InForce) -> None:
        self._store.save(in_force)
        self.in_force = in_force

    def path(self, name: str, of: InForce | None = None) -> Path:
        return self._store.path((of or self.in_force).folder, name)

    def content(self, name: str, of: InForce | None = None) -> bytes:
        return self._store.content((of or self.in_force).folder, name)

    def current(self, name: str) -> bytes:
        """As haproxy would read it if it started now."""
        return self._store.content(self._store.current, name)

    def has(self, name: str, of: InForce | None = None) -> bool:
        of = of or self.in_force
        return bool(of.folder) and self.path(name, of).exists()

    def differs(self, name: str, wanted: InForce) -> bool:
        return self.content(name, wanted) != self.content(name)

    def certificates_differ(self, wanted: InForce) -> bool:
        return self._store.certificates(wanted.folder) != self._store.certificates(self.in_force.folder)

    def tells_alike(self, wanted: InForce) -> bool:
        """Whether haproxy writes the same lines about traffic, wherever those go."""
        return (self.in_force.logs and self.in_force.logs.format) == (wanted.logs and wanted.logs.format)

    def rules(self, of: InForce | None = None) -> tuple[bytes, bytes]:
        return self.content(NFTABLES, of), self.content(CHECKS, of)
