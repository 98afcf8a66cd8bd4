"""
What is on disk of the amphorae: a folder each with its record and console log, and the folder of its keys in /run.

The folder is the first thing made of an amphora and the last one removed, so nothing of it can be overlooked.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from actium_shared import embedded
from actium_shared.errors import PermanentError

_RECORD = "machine.json"

CONSOLE_MOST_BYTES = 8 * 1024 * 1024
CONSOLE_KEPT_BYTES = 1024 * 1024
"""Weeks of a healthy amphora's lines, and what one says last that fails over and over."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided once for an amphora, and what others are placed by."""

    amphora_id: str
    image_tag: str
    host: str
    group: str = ""
    spread: str = ""


class Register:
    """The folders of all amphorae of one world."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ids(self) -> list[str]:
        """Give the ids of all amphorae of which anything exists."""
        return sorted(entry.name for entry in self._folder.iterdir()) if self._folder.exists() else []

    def record(self, amphora_id: str) -> Record | None:
        """Give the amphora's record; none where its maker was killed before it was written."""
        try:
            return msgspec.json.decode((self._folder / amphora_id / _RECORD).read_bytes(), type=Record)
        except FileNotFoundError:
            return None

    def write(self, record: Record) -> None:
        """Keep the record before anything is made that depends on it."""
        _private_folder(self._folder / record.amphora_id)
        _write(self._folder / record.amphora_id / _RECORD, msgspec.json.encode(record))

    def console(self, amphora_id: str) -> Path:
        """Give the file that the amphora's output goes to."""
        return self._folder / amphora_id / "console.log"

    def trim_consoles(self) -> None:
        """
        Keep the end of each console that has grown too long, as `console.log.1`, and begin the file anew.

        It stays the same file, cut short in place: the amphora holds it open, and locked. What it writes while its end is
        copied is lost.
        """
        for console in self._folder.glob("*/console.log"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if console.stat().st_size > CONSOLE_MOST_BYTES:
                    with console.open("rb+") as file:
                        file.seek(-CONSOLE_KEPT_BYTES, os.SEEK_END)
                        _write(console.with_name("console.log.1"), file.read(CONSOLE_KEPT_BYTES))
                        file.truncate(0)

    def write_secrets(self, amphora_id: str, files: Mapping[str, bytes]) -> Path:
        """Put the files where only root and the agent read them, and give the folder."""
        folder = embedded.secrets_folder(amphora_id)
        _private_folder(embedded.RUN_FOLDER)
        _private_folder(folder)
        for name, content in files.items():
            if Path(name).name != name:
                raise PermanentError(f"amphora {amphora_id}: file {name!r} is not a plain name")
            _write(folder / name, content)
        return folder

    def remove(self, amphora_id: str) -> None:
        if (folder := self._folder / amphora_id).exists():
            shutil.rmtree(folder)


def _private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def _write(path: Path, content: bytes) -> None:
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)
    with open(half, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
    half.replace(path)
