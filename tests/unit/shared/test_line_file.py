"""What was added is there, whole; what was cut off is not, and nothing is written behind it."""

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
