"""Building amphora images."""

import asyncio
import subprocess
import sys
from pathlib import Path

from actium_compute.adapters.images import Images


def test_an_image_is_named_after_its_content_and_built_once(tmp_path: Path) -> None:
    images = Images(tmp_path / "images")
    name = images.build()
    made_at = (tmp_path / "images" / name / "init").stat().st_mtime_ns
    assert images.build() == name
    assert (tmp_path / "images" / name / "init").stat().st_mtime_ns == made_at
    assert images.tags() == [name]


def test_the_agent_can_be_imported_from_an_image_without_any_site_packages(tmp_path: Path) -> None:
    image = tmp_path / Images(tmp_path).build()
    found = subprocess.run(
        [Path(sys.executable).resolve(), "-S", "-P", "-c", "import actium_amphora_agent, msgpack, h11; print(h11.__file__)"],
        env={"PYTHONPATH": str(image / "lib")}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout.startswith(str(image))


def test_all_that_an_agent_imports_is_compiled_where_its_interpreter_looks_for_it(tmp_path: Path) -> None:
    image = tmp_path / Images(tmp_path).build()
    bytecode = image / "bytecode"
    assert list((bytecode / "run/amphora/image/lib/h11").glob("_connection.*.opt-2.pyc"))
    assert list((bytecode / Path(asyncio.__file__).parent.relative_to("/")).glob("base_events.*.opt-2.pyc"))
    assert not list((image / "lib").rglob("__pycache__"))


def test_what_killed_makers_left_is_no_image_and_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".half-made" / "lib").mkdir(parents=True)
    (tmp_path / ".half-tagged").symlink_to("nowhere")
    images = Images(tmp_path)
    assert images.tags() == []
    name = images.build()
    images.build("default")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([name, "default"])


def test_a_tag_moves_on_to_the_newest_image_and_the_old_one_stays(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "init").touch()
    (tmp_path / "default").symlink_to("old")
    images = Images(tmp_path)
    assert images.build("default") == "default"
    assert (tmp_path / "default").resolve().name == images.build()
    assert images.tags() == sorted(["default", "old", images.build()])
