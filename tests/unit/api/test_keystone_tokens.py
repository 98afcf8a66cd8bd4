"""How tokens are remembered, shown to Keystone once for many, and what happens while it cannot be asked."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from starlette.requests import HTTPConnection

from actium_api.access import admission
from actium_api.access.callers import Identity, IdentityUnavailableError, UnknownCallerError
from actium_api.access.keystone import REFUSED_KEPT_S, REST_S, TOKEN_LONGEST, Keystone, Token
from actium_api.settings import ApiSettings
from actium_shared.clock import SystemClock
from actium_shared.errors import SettingsError
from actium_shared.testing.nats_server import free_port

START = datetime(2026, 1, 1, tzinfo=UTC)
KEPT_S = 60.0


class HandClock(SystemClock):
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class KnownTokens:
    """Tokens as somebody else knows them; `shown` are those asked for, and `go` holds all answers back."""

    def __init__(self) -> None:
        self.known: dict[str, Token] = {}
        self.shown: list[str] = []
        self.is_down = False
        self.go = threading.Event()
        self.go.set()

    def show(self, token: str) -> Token | None:
        self.shown.append(token)
        assert self.go.wait(10)
        if self.is_down:
            raise IdentityUnavailableError("down")
        return self.known.get(token)


def token(*, for_s: float = 3600, **more: object) -> Token:
    document = {
        "user": {"id": "u1", "domain": {"id": "default"}},
        "roles": [{"id": "r1", "name": "member"}],
        "project": {"id": "p1", "domain": {"id": "d1"}},
        "expires_at": (START + timedelta(seconds=for_s)).isoformat(),
    }
    return msgspec.convert(document | more, Token)


class Door:
    def __init__(self, *, kept_count: int = 100) -> None:
        self.clock, self.tokens = HandClock(), KnownTokens()
        self.tokens.known = {"good": token(), "short": token(for_s=5)}
        self.keystone = Keystone(self.tokens, clock=self.clock, uri="http://k/v3", kept_s=KEPT_S, kept_count=kept_count)

    async def enter(self, given: str | None) -> Identity:
        headers = [] if given is None else [(b"x-auth-token", given.encode("latin-1"))]
        return await self.keystone.identify(HTTPConnection({"type": "http", "headers": headers}))


async def test_a_token_says_who_calls_and_is_shown_once_while_it_is_kept() -> None:
    door = Door()
    first = await door.enter("good")
    assert (first.user_id, first.project_id, first.roles) == ("u1", "p1", {"member"})
    assert first.more == {"user_domain_id": "default", "project_domain_id": "d1"}
    door.clock.advance(KEPT_S - 1)
    assert await door.enter("good") is first
    door.clock.advance(2)
    assert await door.enter("good") == first
    assert door.tokens.shown == ["good", "good"]


async def test_an_expired_token_is_refused_also_while_it_is_kept() -> None:
    door = Door()
    await door.enter("short")
    door.clock.advance(6)
    with pytest.raises(UnknownCallerError):
        await door.enter("short")


@pytest.mark.parametrize("given", [None, "", "x" * (TOKEN_LONGEST + 1), "a\tb", "täg"])
async def test_what_cannot_be_a_token_is_not_even_shown(given: str | None) -> None:
    door = Door()
    with pytest.raises(UnknownCallerError):
        await door.enter(given)
    assert door.tokens.shown == []


async def test_a_bad_token_is_not_shown_again_and_again() -> None:
    door = Door()
    for _ in range(3):
        with pytest.raises(UnknownCallerError):
            await door.enter("bad")
    assert door.tokens.shown == ["bad"]
    door.tokens.known["bad"] = token()
    door.clock.advance(REFUSED_KEPT_S + 1)
    assert (await door.enter("bad")).user_id == "u1"


async def test_many_requests_with_one_token_show_it_once_and_a_client_that_leaves_harms_nobody() -> None:
    door = Door()
    door.tokens.go.clear()
    requests = [asyncio.create_task(door.enter("good")) for _ in range(20)]
    while not door.tokens.shown:
        await asyncio.sleep(0.001)
    requests[0].cancel()
    door.tokens.go.set()
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {getattr(answer, "user_id", None) for answer in answers[1:]} == {"u1"}
    assert door.tokens.shown == ["good"]


async def test_while_keystone_is_down_kept_tokens_count_and_others_are_told_so_at_once() -> None:
    door = Door()
    await door.enter("good")
    door.tokens.is_down = True
    for _ in range(5):
        with pytest.raises(IdentityUnavailableError):
            await door.enter("short")
    assert door.tokens.shown == ["good", "short"]
    assert (await door.enter("good")).user_id == "u1"
    door.tokens.is_down = False
    door.clock.advance(REST_S + 0.1)
    assert (await door.enter("short")).user_id == "u1"


async def test_memory_is_bounded() -> None:
    door = Door(kept_count=10)
    door.tokens.known |= {f"t{number}": token() for number in range(50)}
    for number in range(50):
        await door.enter(f"t{number}")
    await door.enter("t49")
    await door.enter("t0")
    assert len(door.tokens.shown) == 51


async def test_a_token_for_a_domain_or_the_system_is_for_no_project() -> None:
    whole = token(project=None, system={"all": True}).identity()
    assert (whole.project_id, whole.more["system_scope"]) == ("", "all")
    domain = token(project=None, domain={"id": "d7"}).identity()
    assert (domain.project_id, domain.more["domain_id"]) == ("", "d7")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A shell that knows of no cloud."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OS_CLOUD", "OS_AUTH_URL", "OS_CLIENT_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def test_an_identity_service_that_does_not_answer_is_unavailable(shell: pytest.MonkeyPatch) -> None:
    names = {"AUTH_URL": f"http://127.0.0.1:{free_port()}/v3", "USERNAME": "a", "PASSWORD": "b", "PROJECT_NAME": "c"}
    domains = {"USER_DOMAIN_ID": "default", "PROJECT_DOMAIN_ID": "default"}
    for name, value in (names | domains).items():
        shell.setenv(f"OS_{name}", value)
    keystone = admission.authenticator(ApiSettings(auth="keystone"), SystemClock())
    assert keystone is not None
    assert keystone.challenge() == f'Keystone uri="{names["AUTH_URL"]}"'
    with pytest.raises(IdentityUnavailableError):
        await keystone.identify(HTTPConnection({"type": "http", "headers": [(b"x-auth-token", b"t")]}))
    await keystone.close()


def test_without_a_service_user_the_api_does_not_start(shell: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="OS_AUTH_URL"):
        admission.authenticator(ApiSettings(auth="keystone"), SystemClock())


def test_settings_that_nobody_would_look_at_are_refused(tmp_path: Path) -> None:
    for more in (
        {"policy_file": tmp_path / "p"},
        {"policy_load_balancer_roles": True},
        {"operator_key_file": tmp_path},
    ):
        with pytest.raises(SettingsError, match="has no effect without ACTIUM_AUTH=keystone"):
            admission.authenticator(ApiSettings(**more), SystemClock())  # type: ignore[arg-type]
