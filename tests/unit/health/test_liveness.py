"""Who is lost, when, and above all who is not."""

import pytest

from actium_health.liveness import Verdict
from unit.health.site import START, site, told

MANY = {f"a{number}" for number in range(30)}


def test_who_is_silent_and_does_not_answer_is_lost_at_the_limit() -> None:
    made = site()
    last_heard_s = (made.liveness.pulse("a3").heard_at or 0) - START
    made.dead = {"a3"}
    made.run(10.0)
    assert list(made.lost) == ["a3"]
    assert 3.0 <= made.lost["a3"] - last_heard_s <= 3.25
    assert "its agent does not answer" in made.reasons["a3"]


def test_who_beats_is_not_even_asked_about() -> None:
    made = site()
    made.run(120.0)
    assert not made.asked


def test_who_answers_is_not_lost_however_long_it_is_silent_and_is_told_of_once() -> None:
    made = site()
    made.mute = {"a3"}
    made.run(200.0)
    assert not made.lost
    assert made.told_mute == ["a3"]
    assert 20 < len(made.asked) < 60
    assert made.liveness.facts(made.now)["liveness"]["answering_but_silent"] == 1  # type: ignore[index]
    made.mute, made.dead = set(), {"a3"}
    made.run(15.0)
    assert list(made.lost) == ["a3"]


def test_without_a_witness_the_verdict_waits_and_needs_others_that_are_heard() -> None:
    made = site(2)
    made.unknown = {"a1"}
    made.run(8.5)
    assert not made.lost
    made.run(2.0)
    assert list(made.lost) == ["a1"]
    assert "nobody could be asked" in made.reasons["a1"]


def test_alone_and_without_a_witness_nobody_is_judged() -> None:
    made = site(1)
    made.unknown = {"a0"}
    made.run(100.0)
    assert not made.lost


def test_where_the_relay_drops_datagrams_silence_alone_is_no_proof() -> None:
    made = site()
    made.unknown = {"a1"}
    made.run(20.0, lambda: made.listening.message("relay", made.now, read_at=made.now, lossy=True))
    assert not made.lost


def test_while_no_relay_is_heard_nobody_is_judged_and_after_it_everybody_has_the_whole_limit() -> None:
    made = site()
    made.dead = {"a3"}
    made.relays, relays = {}, made.relays
    made.run(30.0)
    assert not made.lost
    made.relays, began_s = relays, made.now - START
    made.run(10.0)
    assert list(made.lost) == ["a3"]
    assert made.lost["a3"] - began_s >= 3.0


def test_one_relay_of_two_is_enough_to_listen() -> None:
    made = site()
    made.relays = {"relay": set(), "other": set()}
    made.run(5.0)
    made.relays = {"other": set()}
    made.dead = {"a3"}
    made.run(4.5)
    assert list(made.lost) == ["a3"]


def test_one_relay_that_does_not_hear_somebody_does_no_harm_while_another_does() -> None:
    made = site()
    made.relays = {"relay": {"a1"}, "other": set()}
    made.run(60.0)
    assert not made.asked


def test_after_our_own_absence_everybody_has_the_whole_limit() -> None:
    made = site()
    made.dead = {"a3"}
    made.run(1.5)
    made.listening.restart()
    began_s = made.now - START
    made.run(10.0)
    assert made.lost["a3"] - began_s >= 3.0


def test_beats_that_are_read_late_are_no_silence() -> None:
    made = site()
    made.ticks += 400  # we were stopped; then what came meanwhile is read in its order, and only then is looked
    for tick in range(made.ticks - 399, made.ticks + 1):
        at = START + tick * 0.25
        for amphora_id in made.hosts:
            made.liveness.heard(made.liveness.pulse(amphora_id), at)
        made.listening.message("relay", at, read_at=made.now)
    made.sweep()
    made.run(5.0)
    assert not made.asked


def test_a_farewell_is_asked_about_at_once_and_judged_sooner() -> None:
    made = site()
    made.liveness.farewell(made.liveness.pulse("a3"), made.now)
    made.dead, said_s = {"a3"}, made.now - START
    made.run(0.25)
    assert made.asked == ["a3"]
    made.run(3.0)
    assert 1.0 <= made.lost["a3"] - said_s <= 1.5
    assert "farewell" in made.reasons["a3"]


def test_who_comes_back_after_a_farewell_is_as_alive_as_before() -> None:
    made = site()
    made.liveness.farewell(made.liveness.pulse("a3"), made.now)
    made.run(0.5)
    made.run(60.0)
    assert not made.lost
    assert len(made.asked) <= 1


def test_a_spare_has_its_own_limit_until_it_is_handed_out() -> None:
    made = site(spares=["a3"])
    made.dead = {"a3"}
    made.run(30.0)
    assert not made.lost
    made.liveness.expect("a3", appliance_id="appliance", host="host-3", spare=False, now=made.now)
    made.run(1.0)
    assert list(made.lost) == ["a3"]


def test_a_dead_spare_is_found_after_its_limit() -> None:
    made = site(spares=["a3"])
    made.dead = {"a3"}
    made.run(62.0)
    assert list(made.lost) == ["a3"]


def test_one_that_never_beat_is_judged_from_when_it_was_expected() -> None:
    made = site()
    made.hosts["new"] = "host-1"
    made.dead = {"new"}
    made.liveness.expect("new", appliance_id="appliance", host="host-1", spare=False, now=made.now)
    began_s = made.now - START
    made.run(10.0)
    assert made.lost["new"] - began_s >= 3.0
    assert "never heard" in made.reasons["new"]


@pytest.mark.parametrize("booted_again", [True, False])
def test_only_a_new_boot_gives_new_time(booted_again: bool) -> None:
    made = site()
    made.dead = {"a3"}
    made.run(2.0)
    made.liveness.expect("a3", appliance_id="appliance", host="host-3", spare=False, now=made.now, afresh=booted_again)
    made.run(2.0)
    assert (not made.lost) == booted_again


def test_who_was_sent_away_or_deleted_is_not_judged() -> None:
    made = site()
    made.dead = {"a3", "a4"}
    made.liveness.dismiss("a3")
    made.liveness.forget("a4")
    made.run(20.0)
    assert not made.lost


def test_who_was_lost_is_not_judged_again() -> None:
    made = site()
    made.dead = {"a3"}
    made.run(60.0)
    asked = made.asked.count("a3")
    assert asked < 10
    told(made.liveness, "a3", Verdict.NONE)  # it was heard again
    made.run(10.0)
    assert made.asked.count("a3") > asked


def test_when_most_fall_silent_at_once_none_is_judged_before_all_were_asked_about() -> None:
    made = site(20)
    made.dead = {f"a{number}" for number in range(10)}
    made.unknown = {"a19"}
    made.run(8.0)
    assert not made.lost
    made.unknown, made.mute = set(), {"a19"}
    made.run(2.0)
    assert set(made.lost) == made.dead


def test_of_many_that_are_silent_those_that_answer_live() -> None:
    made = site(20)
    made.mute = set(made.hosts) - {"a3"}
    made.dead = {"a3"}
    made.run(60.0)
    assert list(made.lost) == ["a3"]


def test_when_all_are_silent_and_nobody_can_be_asked_nobody_is_judged() -> None:
    made = site(20)
    made.unknown = set(made.hosts)
    made.run(100.0)
    assert not made.lost


def test_two_hosts_that_fall_silent_as_a_whole_are_many() -> None:
    made = site(20)  # four on each of five
    made.dead = {amphora_id for amphora_id, host in made.hosts.items() if host in ("host-1", "host-2")}
    made.unknown = {"a0"}
    made.run(6.0)
    assert not made.lost
    assert made.liveness.sweep(made.now).many
    made.unknown = set()
    made.run(2.0)
    assert set(made.lost) == made.dead


def test_a_storm_is_held_back_once_each_and_goes_on_as_the_minute_passes() -> None:
    made = site(60, on_hosts=6)
    made.dead = MANY
    made.run(6.0)
    assert len(made.lost) == 10
    assert set(made.held) == MANY - set(made.lost)
    assert all("10 are the limit" in made.reasons[amphora_id] for amphora_id in made.held)
    assert set(made.liveness.facts(made.now)["liveness"]["held_back"]) == set(made.held)  # type: ignore[index]
    made.run(60.0)
    assert len(made.lost) == 20
    made.run(60.0)
    assert set(made.lost) == MANY


def test_a_large_site_may_lose_a_share_of_its_amphorae_and_a_host_a_share_of_its_own() -> None:
    made = site(1_000, on_hosts=20)
    made.dead = {amphora_id for amphora_id, host in made.hosts.items() if host == "host-7"}
    made.run(6.0)
    assert len(made.dead) == 50
    assert len(made.lost) == 25
    assert all("on host host-7" in made.reasons[amphora_id] for amphora_id in made.held)


def test_an_operator_releases_what_is_held_back_on_one_host_or_on_all() -> None:
    made = site(60, on_hosts=6)
    made.dead = MANY
    made.run(6.0)
    here = {amphora_id for amphora_id in made.held if made.hosts[amphora_id] == "host-3"}
    assert {pulse.amphora_id for pulse in made.liveness.release("host-3")} == here
    made.run(0.5)
    assert here
    assert here < set(made.lost)
    made.liveness.release("")
    made.run(0.5)
    assert set(made.lost) == MANY


def test_limits_can_be_switched_off() -> None:
    made = site(60, on_hosts=6, limited=False)
    made.dead = MANY
    made.run(6.0)
    assert set(made.lost) == MANY


def test_one_that_was_held_back_and_answers_again_is_not_lost() -> None:
    made = site(60, on_hosts=6)
    made.dead = MANY
    made.run(6.0)
    back = min(made.held)
    made.dead = MANY - {back}
    made.run(1.0)
    told(made.liveness, back, Verdict.NONE)
    made.run(300.0)
    assert set(made.lost) == MANY - {back}


def test_they_who_serve_come_before_spares_where_not_all_may_go() -> None:
    made = site(30, on_hosts=6, spares=["a0", "a1"], spare_silent_most_s=3.0)
    made.dead = {f"a{number}" for number in range(12)}
    made.listening.restart()  # so that all are due at once
    made.run(5.0)
    assert set(made.held) == {"a0", "a1"}
