"""What was added is there, whole; what was cut off is not, and nothing is written behind it."""

import subprocess
import sys
from pathlib import Path

from actium_shared.line_file import LineFile


def test_lines_are_there_for_who_opens_the_file_next(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "lines")
    assert list(file.lines()) == []
    file.add(b"one")
    file.add(b"two")
    assert list(LineFile(tmp_path / "lines").lines()) == [b"one", b"two"]
    file.replace([b"three"])
    file.add(b"four")
    assert list(file.lines()) == [b"three", b"four"]


def test_a_line_that_was_cut_off_is_no_line_and_not_the_beginning_of_one(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"whole\nhal")
    file = LineFile(path)
    assert list(file.lines()) == [b"whole"]
    file.add(b"next")
    assert list(file.lines()) == [b"whole", b"next"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from actium_shared.line_file import LineFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
file = LineFile(Path(sys.argv[1]))
for line in (b"12345", b"123456", b"ok"):
    try:
        file.add(line)
    except OSError as exc:
        print(exc)
"""


def test_a_line_that_does_not_fit_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """In a process of its own, to which the kernel gives what fits and refuses the rest, as on a full disk."""
    path = tmp_path / "lines"
    told = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "only 4 of 7 bytes could be written" in told
    assert told.count("\n") == 1
    assert list(LineFile(path).lines()) == [b"12345", b"ok"]
