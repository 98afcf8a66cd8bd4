"""Which members get new flows: by weight, by turn, by hash; and what is told of them."""

import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_amphora_agent.balancing import SLOTS, Branch, Spec, Target, choosable, parse, picks, pools
from actium_amphora_agent.errors import Invalid
from actium_amphora_agent.table import stranger_in, transaction

POOL = "pool"


def target(name: str, *, weight: int = 1, backup: bool = False) -> Target:
    return Target(member=name, chain=f"to-{name}", mark=sum(name.encode()), weight=weight, backup=backup)


def spec(*targets: Target, select: str = "inc", words: dict[str, str] | None = None) -> Spec:
    branch = Branch(name="l-4", listener="l", pool=POOL, family=4, select=select, targets=targets)
    return Spec(branches=(branch,), pools={POOL: words or {}})


def chosen(of: Spec, *down: str) -> Counter[str]:
    """How many slots each chain has in the rule that picks."""
    (rule,) = re.findall(
        r"add rule inet actium_udp pick-l-4 .*vmap \{ (.*) \}", picks(of, {(POOL, name) for name in down})
    )
    slots: Counter[str] = Counter()
    for element in rule.split(", "):
        first, _, last = element.partition(" : ")[0].partition("-")
        slots[element.rpartition(" goto to-")[2]] += int(last or first) - int(first) + 1
    return slots


def test_turns_follow_the_weights_without_what_they_have_in_common() -> None:
    assert chosen(spec(target("a", weight=30), target("b", weight=10))) == {"a": 3, "b": 1}


def test_who_is_down_or_draining_gets_no_new_flow() -> None:
    of = spec(target("a"), target("b"), target("c", weight=0))
    assert chosen(of, "a") == {"b": 1}


def test_backups_serve_when_no_other_can() -> None:
    of = spec(target("a"), target("b", backup=True), target("c", backup=True))
    assert chosen(of) == {"a": 1}
    assert chosen(of, "a") == {"b": 1, "c": 1}


def test_with_nobody_left_new_flows_are_refused_and_remembered_clients_forgotten() -> None:
    text = picks(spec(target("a")), {(POOL, "a")})
    assert "add rule inet actium_udp gate-l-4 reject with icmp type port-unreachable" in text
    assert "add element" not in text
    assert "add rule inet actium_udp pick" not in text


@given(st.lists(st.integers(1, 256), min_size=2, max_size=6), st.data())
def test_by_hash_only_the_slots_of_the_dead_change_hands(weights: list[int], data: st.DataObject) -> None:
    targets = [target(f"m{index}", weight=weight) for index, weight in enumerate(weights)]
    dead = data.draw(st.sampled_from(targets)).member
    before = slots(picks(spec(*targets, select="source"), set()))
    after = slots(picks(spec(*targets, select="source"), {(POOL, dead)}))
    assert len(before) == len(after) == SLOTS
    assert [slot for slot in range(SLOTS) if before[slot] != after[slot] and before[slot] != f"to-{dead}"] == []
    assert f"to-{dead}" not in after


def test_by_hash_slots_follow_the_weights_roughly() -> None:
    shares = chosen(spec(target("a", weight=3), target("b", weight=1), select="source"))
    assert 0.68 < shares["a"] / SLOTS < 0.82


def slots(text: str) -> list[str]:
    (rule,) = re.findall(r"vmap \{ (.*) \}", text)
    owners: list[str] = []
    for element in rule.split(", "):
        numbers, _, chain = element.partition(" : goto ")
        first, _, last = numbers.partition("-")
        owners += [chain] * (int(last or first) - int(first) + 1)
    return owners


def test_words_are_haproxys_unless_a_check_failed() -> None:
    words = {"a": "UP", "b": "DRAIN", "c": "MAINT"}
    assert pools(spec(words=words), set())[POOL] == {"status": "UP", "members": words}
    told = pools(spec(words=words), {(POOL, "a"), (POOL, "c")})[POOL]
    assert told == {"status": "DOWN", "members": {"a": "DOWN", "b": "DRAIN", "c": "MAINT"}}
    assert pools(spec(words={}), set())[POOL]["status"] == "UP"


def test_choosable_of_nobody_is_nobody() -> None:
    assert choosable([]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x; flush ruleset"},
        {"family": 5},
        {"select": "random"},
        {"targets": [{"member": "m", "chain": "a b", "mark": 1, "weight": 1, "backup": False}]},
        {"targets": None},
    ],
)
def test_what_is_not_as_compute_renders_it_is_refused(change: dict[str, Any]) -> None:
    branch = {"name": "l-4", "listener": "l", "pool": "p", "family": 4, "select": "inc", "targets": []}
    fields = {"branches": [branch | change], "listeners": {}, "pools": {}, "checks": []}
    with pytest.raises(Invalid, match=r"checks\.json"):
        parse(json.dumps(fields).encode())


def test_a_transaction_deletes_what_is_declared_no_more_after_what_holds_on_to_it() -> None:
    rules = "add table inet actium_udp\nadd chain inet actium_udp kept { type x }\nadd map inet actium_udp alive-b { type y }\n"
    present = [("chain", "kept"), ("counter", "in-a"), ("chain", "to-a"), ("map", "alive-a"), ("map", "alive-b")]
    lines = transaction(rules, "picks\n", present=present).splitlines()
    wanted = [
        "flush table inet actium_udp",
        "flush map inet actium_udp alive-a",
        "flush map inet actium_udp alive-b",
        "delete map inet actium_udp alive-a",
        "delete chain inet actium_udp to-a",
        "add chain inet actium_udp kept { type x }",
        "picks",
    ]
    assert [line for line in lines if line in wanted] == wanted
    assert "delete chain inet actium_udp kept" not in lines


def test_without_rules_the_table_goes() -> None:
    assert transaction("", "", present=()).splitlines()[-1] == "delete table inet actium_udp"


@pytest.mark.parametrize(
    "line",
    [
        "add rule inet actium_udp c accept; flush ruleset",
        "add rule inet actium_udp c vmap { 1 : accept } ; flush ruleset",
        'add rule inet actium_udp c comment "{" ; flush ruleset }',
        "add map inet actium_udp m { type mark : verdict; } ; add table ip x",
        "add table inet actium_udp # {",
        "add table ip other",
        "flush ruleset",
        "add rule inet actium_udp c \\",
    ],
)
def test_a_line_that_does_more_than_to_add_something_is_found(line: str) -> None:
    good = "add table inet actium_udp\nadd map inet actium_udp m { type mark : verdict; }\n"
    assert stranger_in(good) is None
    assert stranger_in(good + line + "\n") == line
