"""The plan for network cards: what is wanted, what the kernel shows, hence which lines for `ip`."""

import json
from dataclasses import replace

from actium_amphora_agent.cards import (
    Link,
    floating_on,
    parse_links,
    plan_addresses,
    plan_loopback,
    plan_moves,
    plan_name_clashes,
    plan_returns,
    plan_sweep,
)
from actium_amphora_agent.desired import Interface, Route
from actium_amphora_agent.routing import Way

MAC, OTHER = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
VIP0 = Interface(
    mac=MAC,
    name="vip0",
    mtu=1400,
    addresses=("203.0.113.20/24",),
    vips=("203.0.113.10/32",),
    gateway="203.0.113.1",
    metric=10,
)
DONE = Link(
    mac=MAC,
    name="vip0",
    mtu=1400,
    is_up=True,
    plugged_as="eth1",
    addresses=(("203.0.113.20/24", 10), ("203.0.113.10/32", 0)),
    routes=((Way("0.0.0.0/0", "203.0.113.1"), 10),),
)


def test_plugged_card_is_named_and_sent_over():
    here = [Link(mac=MAC, name="eth1"), Link(mac=OTHER, name="eth2")]
    assert plan_moves([VIP0], [], here, "traffic") == [
        "link set dev eth1 alias plugged-as:eth1",
        "link set dev eth1 netns traffic name vip0",
    ]
    assert plan_moves([VIP0], [DONE], here, "traffic") == []


def test_new_card_gets_everything():
    assert plan_addresses([VIP0], [Link(mac=MAC, name="vip0", mtu=1500)]) == [
        "link set dev vip0 mtu 1400 up",
        "address replace 203.0.113.20/24 dev vip0 metric 10",
        "address replace 203.0.113.10/32 dev vip0",
        "route replace 0.0.0.0/0 via 203.0.113.1 dev vip0 metric 10 onlink",
    ]


def test_card_that_is_right_keeps_all_and_only_its_route_is_repeated():
    assert plan_addresses([VIP0], [DONE]) == ["route replace 0.0.0.0/0 via 203.0.113.1 dev vip0 metric 10 onlink"]


def test_surplus_addresses_go_but_link_local_stays() -> None:
    carried = (*DONE.addresses, ("198.51.100.1/24", 0), ("fe80::1/64", 0))
    lines = plan_addresses([VIP0], [replace(DONE, addresses=carried)])
    assert lines[0] == "address del 198.51.100.1/24 dev vip0"
    assert not any("fe80" in line for line in lines)


def test_what_floats_is_keepalived_s_to_give_and_to_take() -> None:
    pair = replace(VIP0, vips=(), floating=("203.0.113.10/32",))
    assert plan_addresses([pair], [DONE]) == plan_addresses([VIP0], [DONE])
    assert not any("203.0.113.10" in line for line in plan_addresses([pair], [Link(mac=MAC, name="vip0")]))
    assert floating_on([pair], [DONE]) == ["address del 203.0.113.10/32 dev vip0"]
    assert floating_on([pair], [replace(DONE, addresses=())]) == []


def test_ways_that_nobody_names_any_more_are_forgotten() -> None:
    wanted = replace(VIP0, routes=(Route(table=300, range="198.51.100.0/24"),))
    ways = (
        (Way("0.0.0.0/0", "203.0.113.1"), 10),
        (Way("198.51.100.0/24"), 10),
        (Way("198.51.100.0/24", table=300), 0),
        (Way("0.0.0.0/0", "203.0.113.254"), 10),
        (Way("192.0.2.0/24", table=301), 0),
        (Way("198.51.100.0/24"), 99),
    )
    assert plan_sweep([wanted], [replace(DONE, routes=ways)]) == [
        "route del 0.0.0.0/0 via 203.0.113.254 dev vip0 metric 10",
        "route del 192.0.2.0/24 dev vip0 table 301 metric 0",
        "route del 198.51.100.0/24 dev vip0 metric 99",
    ]
    assert plan_sweep([wanted], [replace(DONE, routes=ways[:3])]) == []


def test_routed_vips_are_on_no_card_and_nothing_else_there_is_touched() -> None:
    routed = replace(VIP0, routed=("203.0.113.10/32", "2001:db8::10/128"))
    kept = (("127.0.0.1/8", 0), ("::1/128", 0), ("169.254.0.7/32", 0), ("fe80::7/128", 0))
    loopback = Link(mac="00:00:00:00:00:00", name="lo", addresses=(*kept, ("203.0.113.9/32", 0)))
    assert plan_loopback([routed], [DONE, loopback]) == [
        "address del 203.0.113.9/32 dev lo",
        "address replace 2001:db8::10/128 dev lo nodad preferred_lft 0",
        "address replace 203.0.113.10/32 dev lo",
    ]
    full = replace(loopback, addresses=(*kept, *((vip, 0) for vip in routed.routed)))
    assert plan_loopback([routed], [DONE, full]) == []
    assert plan_loopback([], [replace(loopback, addresses=kept)]) == []


def test_name_that_a_leaving_card_holds_is_freed_first():
    leaving = Link(mac=OTHER, name="vip0", plugged_as="eth9")
    assert plan_name_clashes([VIP0], [leaving]) == [
        "link set dev vip0 down",
        "link set dev vip0 name leaving0",
        "link set dev leaving0 up",
    ]
    assert plan_name_clashes([VIP0], [DONE]) == []


def test_only_cards_of_ours_that_nobody_names_are_handed_back():
    strange = Link(mac="02:00:00:00:00:09", name="strange")
    old = Link(mac=OTHER, name="net0", plugged_as="eth2")
    assert plan_returns([VIP0], [DONE, old, strange], 7) == ["link set dev net0 netns 7 name eth2"]


def test_links_are_read_from_ips_arrays():
    lo = {"ifname": "lo", "link_type": "loopback", "address": "00:00:00:00:00:00", "mtu": 65536, "flags": ["UP"]}
    card = {"ifname": "vip0", "link_type": "ether", "address": MAC, "mtu": 1400, "flags": ["BROADCAST", "UP"]}
    carried = [
        {"local": "203.0.113.20", "prefixlen": 24, "metric": 10},
        {"local": "203.0.113.10", "prefixlen": 32},
    ]
    arrays = [
        [lo, card | {"ifalias": "plugged-as:eth1"}],
        [{"ifname": "vip0", "addr_info": carried}],
        [
            {"dst": "default", "gateway": "203.0.113.1", "dev": "vip0", "metric": 10},
            {"dst": "203.0.113.0/24", "dev": "vip0", "protocol": "kernel", "metric": 10},
            {"type": "local", "dst": "203.0.113.10", "dev": "vip0", "table": "local"},
        ],
    ]
    loopback, card = parse_links("\n".join(map(json.dumps, arrays)) + "\n")
    assert (loopback.name, card) == ("lo", DONE)
