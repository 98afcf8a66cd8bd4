"""
What the agent keeps below /run/amphora (tmpfs): bundles' files, the state, the boot's identity.

Every bundle has a folder of its own below bundles/; the link `current` names the one that haproxy reads when it starts.
Switching that link is one rename, so a kill at any point leaves either the old files or the new ones, never a mixture.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgpack

from actium_amphora_agent.desired import HAPROXY, KEEPALIVED, NFTABLES, Bundle, Flags, InForce, interface
from actium_amphora_agent.shipping import wanted

COUNTER_BLOCK = 4_096
"""Counters are reserved so many at a time: an agent that is killed skips some and repeats none."""


def write_atomically(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    beside.replace(path)


class Store:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._bundles = root / "bundles"
        self._bundles.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (HAPROXY, KEEPALIVED, NFTABLES, "certificates"):
            self._link(name, f"current/{name}")

    def stage(self, bundle: Bundle) -> str:
        """Write a bundle's files where nothing reads them yet."""
        folder = f"{bundle.number}-{os.urandom(4).hex()}"
        (self._bundles / folder / "certificates").mkdir(mode=0o700, parents=True)
        for path, content in bundle.files.items():
            write_atomically(self._bundles / folder / path, content)
        return folder

    def path(self, folder: str, name: str = "") -> Path:
        return self._bundles / folder / name

    def content(self, folder: str, name: str) -> bytes:
        """A file's bytes, empty where the bundle has no such file."""
        path = self.path(folder, name)
        return path.read_bytes() if folder and path.exists() else b""

    def certificates(self, folder: str) -> dict[str, bytes]:
        if not folder:
            return {}
        return {path.name: path.read_bytes() for path in self.path(folder, "certificates").iterdir()}

    @property
    def current(self) -> str:
        link = self._root / "current"
        return link.readlink().name if link.is_symlink() else ""

    def switch(self, folder: str) -> None:
        if folder:
            self._link("current", f"bundles/{folder}")
        else:
            (self._root / "current").unlink(missing_ok=True)

    def keep_only(self, *folders: str) -> None:
        for path in self._bundles.iterdir():
            if path.name not in folders:
                _remove(path)

    def _link(self, name: str, target: str) -> None:
        link, beside = self._root / name, self._root / f"{name}.link"
        if link.is_symlink() and str(link.readlink()) == target:
            return
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        beside.replace(link)

    def load(self) -> InForce:
        fields = self.read("state")
        if not fields:
            return InForce()
        fields["interfaces"] = tuple(interface(item) for item in fields["interfaces"])
        return InForce(**fields | {"flags": Flags(**fields["flags"]), "logs": wanted.parse(fields.get("logs"))})

    def save(self, in_force: InForce) -> None:
        self.write("state", asdict(in_force))

    def read(self, name: str) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = msgpack.unpackb((self._root / f"{name}.msgpack").read_bytes())
        except FileNotFoundError:
            return {}
        return fields

    def write(self, name: str, fields: Mapping[str, Any]) -> None:
        write_atomically(self._root / f"{name}.msgpack", msgpack.packb(fields))


def _remove(folder: Path) -> None:
    """Ours hold files and folders, nothing else; `shutil` can do more, and costs a quarter of a megabyte for as long as we run."""
    for path in folder.iterdir():
        if path.is_dir():
            _remove(path)
        else:
            path.unlink()
    folder.rmdir()


class Identity:
    """The boot id (one per boot: it outlives the agent, not the tmpfs) and counters that are never given out twice."""

    def __init__(self, store: Store) -> None:
        self._store = store
        kept = store.read("identity")
        self.boot_id: str = kept.get("boot_id") or os.urandom(16).hex()
        self._next: int = kept.get("reserved", 0)
        self._reserved = self._next

    def next_counter(self) -> int:
        if self._next >= self._reserved:
            self._reserved = self._next + COUNTER_BLOCK
            self._store.write("identity", {"boot_id": self.boot_id, "reserved": self._reserved})
        self._next += 1
        return self._next
