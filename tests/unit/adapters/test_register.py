"""What is kept on disk of amphorae, and what of it must not grow."""

import os
from pathlib import Path

import pytest

from actium_compute.adapters import register
from actium_compute.adapters.register import Record, Register


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "CONSOLE_MOST_BYTES", 100)
    monkeypatch.setattr(register, "CONSOLE_KEPT_BYTES", 10)


def test_with_whom_an_amphora_belongs_together_is_found_again(tmp_path: Path) -> None:
    record = Record(amphora_id="a", image_tag="i", host="host-1", group="g", spread="s")
    Register(tmp_path).write(record)
    assert Register(tmp_path).record("a") == record


def test_a_record_of_an_older_version_has_no_group(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "machine.json").write_text('{"amphora_id": "a", "image_tag": "i", "host": "host-1"}')
    assert Register(tmp_path).record("a") == Record(amphora_id="a", image_tag="i", host="host-1")


@pytest.mark.usefixtures("small")
def test_a_console_that_grew_too_long_keeps_its_end_and_whoever_writes_it_goes_on(tmp_path: Path) -> None:
    kept = Register(tmp_path)
    kept.write(Record(amphora_id="a", image_tag="i", host="host-1"))
    with kept.console("a").open("ab", buffering=0) as console:
        console.write(b"x" * 101 + b"last words")
        kept.trim_consoles()
        console.write(b"and more")
        assert kept.console("a").read_bytes() == b"and more"
        assert os.fstat(console.fileno()).st_ino == kept.console("a").stat().st_ino  # its lock holds
    assert (tmp_path / "a" / "console.log.1").read_bytes() == b"last words"


@pytest.mark.usefixtures("small")
def test_a_short_console_is_left_alone(tmp_path: Path) -> None:
    kept = Register(tmp_path)
    kept.write(Record(amphora_id="a", image_tag="i", host="host-1"))
    kept.console("a").write_bytes(b"x" * 100)
    kept.trim_consoles()
    assert kept.console("a").read_bytes() == b"x" * 100
    assert not (tmp_path / "a" / "console.log.1").exists()
