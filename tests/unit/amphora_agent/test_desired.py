"""Bundles: what is accepted, what is refused by name, and which bundle may follow which."""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_amphora_agent.desired import InForce, is_same, parse
from actium_amphora_agent.errors import AgentError, Invalid, Stale

CARD = {
    "mac": "FA:16:3E:00:00:01",
    "name": "vip0",
    "mtu": 1400,
    "addresses": ["203.0.113.20/24"],
    "vips": ["203.0.113.10/32"],
    "gateway": None,
    "metric": 10,
}


def body(**changes: Any) -> dict[str, Any]:
    made = {
        "bundle": 3,
        "epoch": 1,
        "digest": "d3",
        "files": {"haproxy.cfg": b"x", "certificates/a.pem": b"y", "keepalived.conf": b""},
        "interfaces": [CARD],
        "flags": {"yield": False, "fence": False},
        "runtime": None,
    }
    return made | changes


def parsed(**changes: Any):
    return parse(msgpack.packb(body(**changes)))


def test_bundle_is_read_and_empty_files_count_as_absent():
    bundle = parsed()
    assert (bundle.number, bundle.epoch, bundle.digest) == (3, 1, "d3")
    assert bundle.files == {"haproxy.cfg": b"x", "certificates/a.pem": b"y"}
    assert bundle.interfaces[0].mac == "fa:16:3e:00:00:01"


def test_private_keys_do_not_show_in_the_repr():
    assert "secret" not in repr(parsed(files={"certificates/a.pem": b"secret"}))


@pytest.mark.parametrize(
    "path",
    [
        "../haproxy.cfg",
        "/etc/passwd",
        "certificates/../../x",
        "certificates/.hidden",
        "certificates/a/b",
        "certificates/",
        "state.msgpack",
        "haproxy.cfg\n",
        "certificates/a\n",
        "",
    ],
)
def test_path_that_leaves_its_place_is_refused(path):
    with pytest.raises(Invalid, match="files"):
        parsed(files={path: b"x"})


@given(st.text(max_size=30))
def test_no_path_but_the_known_ones_is_taken(path):
    try:
        files = parsed(files={path: b"x"}).files
    except Invalid:
        return
    assert path in {"haproxy.cfg", "keepalived.conf", "nftables.rules", "checks.json", "pings"} or path.startswith(
        "certificates/"
    )
    assert ".." not in path.split("/")
    assert set(files) == {path}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bundle": 0}, "bundle must be an integer from 1"),
        ({"bundle": True}, "bundle must be an integer"),
        ({"epoch": -1}, "epoch"),
        ({"digest": ""}, "digest"),
        ({"files": {"haproxy.cfg": "text"}}, r"files\[haproxy.cfg\] must be bytes"),
        ({"files": None}, "files must be a map"),
        ({"interfaces": {}}, "interfaces must be a list"),
        ({"interfaces": [CARD | {"mtu": "1400"}]}, r"interfaces\[0\].mtu"),
        ({"interfaces": [CARD | {"name": "a"}]}, r"interfaces\[0\].name"),
        ({"interfaces": [CARD | {"name": "x; reboot"}]}, r"interfaces\[0\].name"),
        ({"interfaces": [CARD | {"mac": "fa:16"}]}, r"interfaces\[0\].mac"),
        ({"interfaces": [CARD | {"addresses": ["203.0.113.999/24"]}]}, r"interfaces\[0\].addresses"),
        ({"interfaces": [CARD | {"gateway": "x"}]}, r"interfaces\[0\].gateway"),
        ({"interfaces": [CARD, CARD]}, "same mac"),
        ({"flags": {"fence": 1}}, "flags.fence"),
        ({"runtime": {"base": "d"}}, "runtime"),
        ({"runtime": {"base": "d", "commands": ["show info"]}}, r"runtime.commands\[0\]"),
        ({"runtime": {"base": "d", "commands": ["set server a/b weight 1; shutdown sessions"]}}, "commands"),
        ({"runtime": {"base": "d", "commands": ["set server a/b weight 1\nshow env"]}}, "commands"),
    ],
)
def test_wrong_field_is_refused_by_name(changes, named):
    with pytest.raises(Invalid, match=named):
        parsed(**changes)


@given(st.binary(max_size=200))
def test_noise_is_invalid_and_nothing_else_is_raised(noise):
    with pytest.raises(Invalid):
        parse(noise)


IN_FORCE = InForce(number=3, epoch=2, digest="d3")


def test_same_digest_is_the_same_under_any_newer_number():
    assert is_same(parsed(bundle=3, epoch=2), IN_FORCE)
    assert is_same(parsed(bundle=9, epoch=2), IN_FORCE)


def test_newer_bundle_with_another_digest_is_a_change():
    assert not is_same(parsed(bundle=4, epoch=2, digest="d4"), IN_FORCE)


def test_equal_number_with_another_digest_is_a_change_too():
    assert not is_same(parsed(bundle=3, epoch=2, digest="other"), IN_FORCE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bundle": 2, "epoch": 2}, "bundle 2 is past"),
        ({"bundle": 9, "epoch": 1}, "epoch 1 is past"),
    ],
)
def test_older_bundle_is_stale(changes, reason):
    with pytest.raises(Stale, match=reason) as refused:
        is_same(parsed(**changes), IN_FORCE)
    assert isinstance(refused.value, AgentError)
    assert refused.value.status == 409
