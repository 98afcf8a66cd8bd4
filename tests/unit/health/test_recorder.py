"""What there is to say of a life, and what is said already."""

import pytest

from actium_health.liveness import Finding, Pulse, Verdict
from actium_health.read_model.queries import Life
from actium_health.recorder import news, verdict
from actium_shared.events.health import AmphoraHeardAgain, AmphoraLossHeldBack, AmphoraLost, AmphoraRoleChanged
from unit.health.given import AMPHORA, APPLIANCE


def life(**fields: object) -> Life:
    known = {"id": AMPHORA, "appliance_id": APPLIANCE, "host": "host-1", "spare": False, "deleted": False}
    return Life(**(known | {"expected": True} | fields))  # type: ignore[arg-type]


def finding(kind: Verdict = Verdict.LOST) -> Finding:
    pulse = Pulse(amphora_id=AMPHORA, since=100.0, heard_at=100.0, expected=True)
    return Finding(pulse=pulse, since=100.0, verdict=kind, reason="silent")


def types(events: tuple[object, ...]) -> list[type]:
    return [type(event) for event in events]


@pytest.mark.parametrize(
    ("found", "said", "told"),
    [
        (Verdict.LOST, Verdict.NONE, [AmphoraLost]),
        (Verdict.LOST, Verdict.HELD_BACK, [AmphoraLost]),
        (Verdict.LOST, Verdict.LOST, []),
        (Verdict.HELD_BACK, Verdict.NONE, [AmphoraLossHeldBack]),
        (Verdict.HELD_BACK, Verdict.HELD_BACK, []),
        (Verdict.HELD_BACK, Verdict.LOST, []),
    ],
)
def test_a_verdict_is_said_once(found: Verdict, said: Verdict, told: list[type]) -> None:
    assert types(verdict(life(verdict=said), finding(found))) == told


def test_a_verdict_on_one_that_was_heard_meanwhile_or_sent_away_is_void() -> None:
    heard = finding()
    heard.pulse.since = 101.0
    assert verdict(life(), heard) == ()
    assert verdict(life(expected=False), finding()) == ()


def test_a_verdict_tells_when_and_where() -> None:
    (event,) = verdict(life(), finding())
    assert isinstance(event, AmphoraLost)
    assert (event.last_heard_at.timestamp(), event.host, event.reason) == (100.0, "host-1", "silent")


def test_a_role_is_news_once_for_each_epoch() -> None:
    pulse = Pulse(amphora_id=AMPHORA, role="MASTER", epoch=2)
    (event,) = news(life(role="MASTER", epoch=1), pulse)
    assert isinstance(event, AmphoraRoleChanged)
    assert (event.role, event.epoch) == ("MASTER", 2)
    assert news(life(role="MASTER", epoch=2), pulse) == ()
    assert news(life(), Pulse(amphora_id=AMPHORA)) == ()


def test_one_that_is_heard_again_after_a_verdict_is_news_with_its_role() -> None:
    pulse = Pulse(amphora_id=AMPHORA, role="BACKUP", epoch=1)
    assert types(news(life(verdict=Verdict.LOST), pulse)) == [AmphoraHeardAgain, AmphoraRoleChanged]
    assert types(news(life(verdict=Verdict.HELD_BACK), Pulse(amphora_id=AMPHORA))) == [AmphoraHeardAgain]
    assert news(life(verdict=Verdict.LOST, deleted=True), pulse) == ()
