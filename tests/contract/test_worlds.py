"""Worlds differ in adapters only: who decides, answers and judges does not know which one it is in."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KNOWN_TO_NOBODY = ("services/planner", "services/api", "services/health", "services/amphora-agent", "shared")
WIRING = {"main.py", "settings.py"}
NOOP = ("noop", "no_op", "world_kind")


@pytest.mark.parametrize("folder", KNOWN_TO_NOBODY)
def test_no_world_without_machines_is_known_there(folder: str) -> None:
    assert [str(path) for path in (ROOT / folder).rglob("*.py") if _speaks_of_it(path)] == []


@pytest.mark.parametrize("service", ["network", "compute"])
def test_it_is_known_to_its_adapters_and_to_who_chooses_them(service: str) -> None:
    package = ROOT / "services" / service / f"actium_{service}"
    speaking = {path.relative_to(package) for path in package.rglob("*.py") if _speaks_of_it(path)}
    apart = {path for path in speaking if path.parts[0] not in ("adapters", "amphora_drivers")}
    assert {path.name for path in apart} == WIRING
    assert len(speaking) > len(apart)


def _speaks_of_it(path: Path) -> bool:
    text = path.read_text().lower()
    return any(word in text for word in NOOP)
