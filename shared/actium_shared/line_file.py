"""A file that grows by lines, whole ones only: what was added is there after its process is killed."""

import os
from collections.abc import Sequence
from errno import ENOSPC
from pathlib import Path


class LineFile:
    """Of one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> Sequence[bytes]:
        """Give the lines. What a power loss left of a last one is cut off: nothing may be written behind it."""
        content = self._path.read_bytes() if self._path.exists() else b""
        whole, newline, cut_off = content.rpartition(b"\n")
        if cut_off:
            os.truncate(self._path, len(whole + newline))
        return whole.splitlines()

    def add(self, line: bytes) -> None:
        """
        Add a line, which has no line break in it. It is given to the system in one piece, and not forced to the disk.

        Raises:
            OSError: it is not there; nothing of it is.
        """
        whole = line + b"\n"
        with self._path.open("ab", buffering=0) as file:
            size = file.tell()
            if (written := file.write(whole)) != len(whole):
                file.truncate(size)
                raise OSError(ENOSPC, f"only {written} of {len(whole)} bytes could be written", str(self._path))

    def replace(self, lines: Sequence[bytes]) -> None:
        """Have these lines and no others, or keep those that there are."""
        half = self._path.with_name(f".{self._path.name}.half")
        half.write_bytes(b"".join(line + b"\n" for line in lines))
        half.replace(self._path)
