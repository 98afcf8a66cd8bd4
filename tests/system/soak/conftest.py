"""Needs root, as all worlds with amphorae do."""

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if os.geteuid() != 0 and "soak" in str(item.path):
            item.add_marker(pytest.mark.skip("needs root"))
