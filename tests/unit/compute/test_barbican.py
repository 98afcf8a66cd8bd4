"""How compute comes to its way to Barbican."""

import os
from pathlib import Path

import pytest

from actium_compute.adapters import barbican
from actium_shared.errors import SettingsError


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.usefixtures("nobody")
def test_without_a_service_user_it_is_said_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="ACTIUM_SECRET_STORE=barbican needs a service user"):
        barbican.connect()


@pytest.mark.usefixtures("nobody")
def test_the_usual_variables_say_who_asks_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"AUTH_TYPE": "none", "ENDPOINT": "http://barbican.example:9311/v1"}
    for name, value in told.items():
        monkeypatch.setenv(f"OS_{name}", value)
    assert barbican.connect().get_endpoint() == "http://barbican.example:9311/v1"
