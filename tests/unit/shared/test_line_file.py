"""What was added is there, whole; what was cut off is not, and nothing is written behind it."""

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
def files_of_ten_bytes() -> Iterator[None]:
    """The kernel writes what fits and refuses the rest, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("files_of_ten_bytes")
def test_a_line_that_does_not_fit_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "lines")
    file.add(b"12345")
    with pytest.raises(OSError, match="4 of 7 bytes"):
        file.add(b"123456")
    file.add(b"ok")
    assert list(file.lines()) == [b"12345", b"ok"]
