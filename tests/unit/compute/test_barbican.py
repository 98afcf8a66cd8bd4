"""How compute comes to its way to Barbican, and what is taken for a reference to it."""

import os
from pathlib import Path

import pytest

from actium_compute.adapters import barbican
from actium_shared.errors import SettingsError

ID = "0f3a1d8e-1111-4222-8333-444455556666"


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


@pytest.mark.parametrize(
    "ref",
    [
        f"https://barbican.example/v1/containers/{ID}",
        f"http://10.0.0.5:9311/v1/secrets/{ID}/",
        f"https://cloud.example/key-manager/v1/secrets/{ID}",
        f"v1/secrets/{ID}",
    ],
)
def test_what_barbican_calls_its_things_is_known(ref: str) -> None:
    assert barbican.REFERENCE.fullmatch(ref)


@pytest.mark.parametrize(
    "ref",
    [
        "web",
        f"https://barbican.example/v1/orders/{ID}",
        f"https://barbican.example/v1/secrets/{ID}/payload",
        f"https://barbican.example/v1/secrets/../containers/{ID}",
        f"https://barbican.example/v1/secrets/{ID}?x=1",
        f"file:///v1/secrets/{ID}",
    ],
)
def test_all_else_is_no_reference_to_it(ref: str) -> None:
    assert not barbican.REFERENCE.fullmatch(ref)
