"""What the agent keeps: files that change all at once, a state that comes back, counters that never do."""

import msgpack
import pytest

from actium_amphora_agent.desired import InForce, parse
from actium_amphora_agent.settings import SettingsError, load
from actium_amphora_agent.store import COUNTER_BLOCK, Identity, Store


def bundle(number, text):
    files = {"haproxy.cfg": text, "certificates/a.pem": text}
    body = {"bundle": number, "epoch": 1, "digest": str(number), "files": files, "interfaces": [], "flags": {}}
    return parse(msgpack.packb(body | {"runtime": None}))


def test_files_are_seen_only_after_the_switch_and_are_private(tmp_path):
    store = Store(tmp_path)
    one = store.stage(bundle(1, b"one"))
    assert not (tmp_path / "haproxy.cfg").exists()
    store.switch(one)
    two = store.stage(bundle(2, b"two"))
    assert (tmp_path / "haproxy.cfg").read_bytes() == b"one"
    store.switch(two)
    assert (tmp_path / "haproxy.cfg").read_bytes() == (tmp_path / "certificates/a.pem").read_bytes() == b"two"
    assert (tmp_path / "haproxy.cfg").stat().st_mode & 0o777 == 0o600
    store.keep_only(two, store.current)
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == [two]


def test_same_bundle_staged_twice_has_two_folders(tmp_path):
    store = Store(tmp_path)
    assert store.stage(bundle(1, b"one")) != store.stage(bundle(1, b"one"))


def test_state_comes_back_equal(tmp_path):
    store = Store(tmp_path)
    assert store.load() == InForce()
    card = {"mac": "fa:16:3e:00:00:01", "name": "vip0", "mtu": 1400, "addresses": ["10.0.0.1/24"], "vips": []}
    body = {"bundle": 1, "epoch": 2, "digest": "d", "files": {}, "interfaces": [card | {"metric": 1}], "runtime": None}
    parsed = parse(msgpack.packb(body | {"flags": {"yield": True}}))
    in_force = InForce(number=1, epoch=2, digest="d", folder="f", interfaces=parsed.interfaces, flags=parsed.flags)
    store.save(in_force)
    assert Store(tmp_path).load() == in_force


def test_counters_are_never_repeated_by_a_killed_agent(tmp_path):
    seen = []
    for _ in range(3):
        identity = Identity(Store(tmp_path))
        seen += [identity.next_counter() for _ in range(COUNTER_BLOCK + 5)]
    assert seen == sorted(set(seen))


def test_boot_id_outlives_the_agent_and_not_the_folder(tmp_path):
    first = Identity(Store(tmp_path / "one"))
    first.next_counter()
    assert Identity(Store(tmp_path / "one")).boot_id == first.boot_id
    assert Identity(Store(tmp_path / "two")).boot_id != first.boot_id


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[]", "one JSON object"),
        ("{", "not JSON"),
        ('{"amphora_id": 7}', "amphora_id must be str, not 7"),
        ('{"amphora_id": "a", "listen_address": "x"}', "listen_address must be an IP address"),
        ('{"amphora_id": "a", "listen_address": "127.0.0.1", "listen_port": 0}', "listen_port must be a port"),
        (
            '{"amphora_id": "a", "listen_address": "127.0.0.1", "listen_port": 1, "relays": [["127.0.0.1"]]}',
            r"relays\[0\] must be",
        ),
    ],
)
def test_wrong_setting_is_named(tmp_path, text, named):
    (tmp_path / "amphora.json").write_text(text)
    for name in ("agent.pem", "ca.pem"):
        (tmp_path / name).write_text("x")
    (tmp_path / "heartbeat.key").write_bytes(bytes(32))
    with pytest.raises(SettingsError, match=named):
        load(tmp_path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"amphora\.json: No such file"):
        load(tmp_path)
