"""What needs root (namespaces, links, packets) is skipped where there is none."""

import os
from pathlib import Path

import pytest

ROOTS_OWN = ("bench", "system/first_light", "system/outages", "system/secrets", "system/soak")
"""Folders whose every test needs it; elsewhere the marker `root` says so."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    folders = [Path(__file__).parent / folder for folder in ROOTS_OWN]
    for item in items:
        if item.get_closest_marker("root") or any(folder in item.path.parents for folder in folders):
            item.add_marker(pytest.mark.skip("needs root"))
