"""Which appliance carries a load balancer: sharing, tags, contradictions; whatever is asked, what is chosen can be."""

from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.placement import Seat, choose, is_particular, place, retagged, shunned_hosts, vip_ranges, why_not
from actium_shared.ids import ApplianceId, LoadBalancerId, NetworkId, ProjectId, SubnetId
from actium_shared.message import Reason, Rejected
from actium_shared.wishes import LoadBalancer

FIRST, SECOND = ApplianceId("appliance-1"), ApplianceId("appliance-2")


def balancer(name: str = "new", *tags: str, room: int = 3, **fields: object) -> LoadBalancer:
    flavor = {"load_balancers_per_appliance": room}
    return a.load_balancer(
        **({"id": LoadBalancerId(name), "flavor_id": f"room-{room}", "flavor": flavor, "tags": tags} | fields)
    )


def seat(name: str, *tags: str, on: ApplianceId = FIRST, leaving: bool = False, **fields: object) -> Seat:
    hosts = frozenset(fields.pop("hosts", ()))  # type: ignore[call-overload]
    there = balancer(name, *tags, **fields)  # type: ignore[arg-type]
    return Seat(balancer=there, appliance_id=on, ranges=vip_ranges(there), hosts=hosts, leaving=leaving)


def chosen(new: LoadBalancer, *others: Seat) -> ApplianceId | None:
    answer = choose(new, vip_ranges(new), others)
    assert not isinstance(answer, Rejected), answer
    return answer


def refusal(new: LoadBalancer, *others: Seat) -> str:
    answer = choose(new, vip_ranges(new), others)
    assert isinstance(answer, Rejected)
    assert (answer.reason, answer.field) == (Reason.INVALID, "tags")
    return answer.detail


# -- sharing


def test_it_matters_only_where_several_share_or_a_tag_says_so() -> None:
    assert not is_particular(a.load_balancer(tags=("colour", "colocated")))
    assert is_particular(balancer())
    assert is_particular(a.load_balancer(tags=("apolocate:db",)))


def test_a_load_balancer_that_shares_nothing_has_its_own() -> None:
    assert chosen(balancer(room=1), seat("other")) is None


def test_it_joins_another_of_its_kind_and_the_fullest_first() -> None:
    assert chosen(balancer(), seat("a")) == FIRST
    assert chosen(balancer(), seat("a"), seat("b", on=SECOND), seat("c", on=SECOND)) == SECOND


def test_it_does_not_join_one_that_is_full() -> None:
    here = [seat(name) for name in "abc"]
    assert chosen(balancer(), *here) is None
    assert "3 do already" in (why_not(balancer(), {}, here) or "")


def test_one_that_leaves_still_takes_its_place_but_keeps_nobody() -> None:
    assert chosen(balancer(), seat("a"), seat("b"), seat("c", leaving=True)) is None
    assert chosen(balancer(), seat("a", leaving=True)) is None


def test_other_projects_flavors_zones_and_networks_are_not_joined() -> None:
    for other in (
        {"project_id": ProjectId("another")},
        {"room": 4},
        {"availability_zone": "az1"},
        {"vip": a.vip(network_id=NetworkId("another"))},
    ):
        assert chosen(balancer(), seat("a", **other)) is None


def test_subnets_that_overlap_do_not_meet_and_the_same_subnet_does() -> None:
    wide = a.vip(subnet_id=SubnetId("wide"), address="203.0.1.1", prefix_length=8)
    assert chosen(balancer(), seat("a", vip=wide)) is None
    assert chosen(balancer(), seat("a", vip=a.vip(address="203.0.113.9"))) == FIRST
    other = a.vip(subnet_id=SubnetId("other"), address="198.51.100.9")
    assert chosen(balancer(), seat("a", vip=other)) == FIRST


# -- tags


def test_colocated_load_balancers_are_together() -> None:
    fuller = [seat("b", on=SECOND), seat("c", on=SECOND)]
    assert chosen(balancer("new", "colocate:web"), seat("a", "colocate:web"), *fuller) == FIRST


def test_the_first_with_a_name_goes_where_there_is_room() -> None:
    assert chosen(balancer("new", "colocate:web")) is None
    assert chosen(balancer("new", "colocate:web"), seat("a", "colocate:db")) == FIRST


def test_apolocated_load_balancers_never_meet() -> None:
    assert chosen(balancer("new", "apolocate:db"), seat("a", "apolocate:db")) is None
    assert chosen(balancer("new", "apolocate:db"), seat("a", "apolocate:web")) == FIRST
    assert chosen(balancer("new", "apolocate:db", room=1), seat("a", "apolocate:db", room=1)) is None


def test_it_does_not_share_what_is_on_a_host_that_it_shall_not_be_on() -> None:
    apart = seat("a", "apolocate:db", room=1, hosts={"host-1"})
    assert chosen(balancer("new", "apolocate:db"), apart, seat("b", on=SECOND, hosts={"host-1"})) is None
    assert chosen(balancer("new", "apolocate:db"), apart, seat("b", on=SECOND, hosts={"host-2"})) == SECOND


def test_tags_that_contradict_themselves_or_what_is_are_refused_in_words() -> None:
    web = seat("a", "colocate:web")
    assert "both with and apart" in refusal(balancer("new", "colocate:x", "apolocate:x"))
    assert "load_balancers_per_appliance" in refusal(balancer("new", "colocate:x", room=1))
    assert "a name" in refusal(balancer("new", "colocate:"))
    assert "a name" in refusal(balancer("new", "apolocate:"))
    assert "3 do already" in refusal(balancer("new", "colocate:web"), web, seat("b"), seat("c"))
    assert "flavor" in refusal(balancer("new", "colocate:web", room=2), web)
    assert "availability zone" in refusal(balancer("new", "colocate:web", availability_zone="az1"), web)
    both = balancer("new", "colocate:web", "colocate:db")
    assert "different appliances" in refusal(both, web, seat("b", "colocate:db", on=SECOND))
    torn = balancer("new", "colocate:web", "apolocate:x")
    assert "apolocate:x" in refusal(torn, seat("a", "colocate:web", "apolocate:x"))
    hidden = balancer(
        "new", "colocate:web", vip=a.vip(subnet_id=SubnetId("wide"), address="203.0.1.1", prefix_length=8)
    )
    assert "overlaps" in refusal(hidden, web)


def test_one_that_leaves_has_no_say() -> None:
    assert chosen(balancer("new", "colocate:web"), seat("a", "colocate:web", leaving=True)) is None
    assert chosen(balancer("new", "apolocate:x"), seat("a", "apolocate:x", leaving=True), seat("b")) == FIRST


def test_hosts_are_shunned_for_the_sake_of_others_only() -> None:
    mine = balancer("mine", "apolocate:x")
    others = [seat("a", "apolocate:x", hosts={"host-2", "host-1"}), seat("b", "apolocate:y", hosts={"host-3"})]
    assert shunned_hosts([mine], others) == ("host-1", "host-2")
    assert shunned_hosts([mine], [seat("mine", "apolocate:x", hosts={"host-1"})]) == ()


# -- tags that change


def changed(before: tuple[str, ...], after: tuple[str, ...], *others: Seat, room: int = 3) -> str | None:
    own = seat("mine", *before, room=room, hosts={"host-1"})
    answer = retagged(balancer("mine", *after, room=room), own.balancer, own, others)
    return None if answer is None else answer.detail


def test_a_tag_that_is_true_already_can_be_put_on() -> None:
    assert changed((), ("colocate:web",), seat("a", "colocate:web")) is None
    assert changed((), ("apolocate:web",), seat("a", "apolocate:web", on=SECOND, hosts={"host-2"})) is None


def test_a_tag_that_is_not_true_cannot() -> None:
    assert "another appliance" in str(changed((), ("colocate:web",), seat("a", "colocate:web", on=SECOND)))
    assert "same appliance" in str(changed((), ("apolocate:web",), seat("a", "apolocate:web")))
    assert "same host" in str(changed((), ("apolocate:web",), seat("a", "apolocate:web", on=SECOND, hosts={"host-1"})))
    assert "load_balancers_per_appliance" in str(changed((), ("colocate:web",), room=1))
    assert "both with and apart" in str(changed(("colocate:x",), ("colocate:x", "apolocate:x")))


def test_tags_can_be_taken_off_and_other_words_put_on_whatever_is() -> None:
    met = seat("a", "apolocate:web", on=SECOND, hosts={"host-1"})
    assert changed(("apolocate:web",), ("apolocate:web", "blue"), met) is None
    assert changed(("apolocate:web",), (), met) is None


# -- whatever is asked

TAGS = ["colocate:x", "colocate:y", "apolocate:x", "apolocate:y", "blue"]
wishes = st.builds(
    lambda number, tags, room, subnet: balancer(
        f"lb-{number}",
        *sorted(tags),
        room=room,
        vip=a.vip(subnet_id=SubnetId(f"subnet-{subnet}"), address=f"10.{subnet // 2}.0.1", prefix_length=16),
    ),
    st.integers(0, 10_000),
    st.sets(st.sampled_from(TAGS), max_size=3),
    st.integers(1, 3),
    st.integers(0, 3),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(wishes, max_size=12, unique_by=lambda each: each.id))
def test_what_is_chosen_keeps_every_promise(asked: list[LoadBalancer]) -> None:
    seats: list[Seat] = []
    for new in asked:
        answer = choose(new, vip_ranges(new), seats)
        again = choose(new, vip_ranges(new), list(reversed(seats)))
        if isinstance(answer, Rejected):
            assert isinstance(again, Rejected)
            continue
        assert again == answer
        seats.append(Seat(balancer=new, appliance_id=answer or place(new.id), ranges=vip_ranges(new)))
    for one in seats:
        together = [other for other in seats if other.appliance_id == one.appliance_id]
        assert len(together) <= int(str(one.balancer.flavor["load_balancers_per_appliance"]))
        for other in seats:
            if other is not one:
                _keeps_promises(one, other)


def _keeps_promises(one: Seat, other: Seat) -> None:
    same = one.appliance_id == other.appliance_id
    tags = set(one.balancer.tags) & set(other.balancer.tags)
    assert same or not any(tag.startswith("colocate:") for tag in tags)
    assert not same or not any(tag.startswith("apolocate:") for tag in tags)
    if same:
        (own,), (others,) = one.ranges.items(), other.ranges.items()
        assert own[0] == others[0] or not own[1].overlaps(others[1])
