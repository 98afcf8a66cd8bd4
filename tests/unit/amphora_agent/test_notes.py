"""Notes that tasks are pending: believed once, in time, from compute alone; a beat is no note and a note no beat."""

import os
import time
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from actium_amphora_agent.credentials import Credentials
from actium_amphora_agent.errors import Invalid
from actium_amphora_agent.notes import Notes
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Store
from actium_compute.authority import open_authority
from actium_shared import heartbeat, notes
from actium_shared.clock import SystemClock
from actium_shared.heartbeat import BadSignature, Heartbeat, HeartbeatError, Malformed
from actium_shared.notes import Note
from actium_shared.testing import datagrams

KEY = bytes(range(32))


def note(**changes: object) -> Note:
    made = Note(amphora_id="a", key_version=1, boot_id="b", counter=1, at=time.time())
    return replace(made, **changes)


def test_what_is_packed_comes_back():
    made = note()
    assert notes.verify(notes.pack(made, KEY), KEY) == made


def test_any_changed_byte_is_noticed():
    datagram = notes.pack(note(), KEY)
    for position in range(len(datagram)):
        changed = bytearray(datagram)
        changed[position] ^= 1
        with pytest.raises(BadSignature):
            notes.verify(bytes(changed), KEY)


def test_a_beat_is_no_note_and_a_note_no_beat_though_the_key_is_the_same():
    beat = Heartbeat(amphora_id="a", key_version=1, boot_id="b", counter=1, at=1.0, kind="beat", body={})
    with pytest.raises(BadSignature):
        notes.verify(heartbeat.pack(beat, KEY), KEY)
    with pytest.raises(HeartbeatError):
        datagrams.verify(notes.pack(note(), KEY), KEY)


@pytest.mark.parametrize("size", [0, 1, 32, notes.NOTE_LIMIT_BYTES + 1])
def test_what_cannot_be_one_by_its_size_is_malformed(size):
    with pytest.raises(Malformed):
        notes.verify(bytes(size), KEY)


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Credentials(settings(tmp_path))


def settings(tmp_path: Path) -> Settings:
    config, root = tmp_path / "config", tmp_path / "run"
    authority = open_authority(tmp_path / "authority", SystemClock())
    if not config.exists():
        config.mkdir()
        root.mkdir()
        (config / "agent.pem").write_bytes(authority.issue("a").pem)
        (config / "ca.pem").write_bytes(authority.certificate_pem)
    return Settings(
        amphora_id="a",
        listen_address="127.0.0.1",
        listen_port=9443,
        relays=(),
        heartbeat_interval_s=1.0,
        heartbeat_key_version=1,
        heartbeat_key=KEY,
        config=config,
        root=root,
    )


@pytest.fixture
def listener(tmp_path: Path, credentials: Credentials) -> Notes:
    return listening(tmp_path, credentials)


def listening(tmp_path: Path, credentials: Credentials) -> Notes:
    return Notes(settings(tmp_path), credentials, Store(tmp_path / "run"), on_note=lambda: None)


def hear(listener: Notes, *heard: bytes) -> dict[str, int]:
    for datagram in heard:
        listener.datagram_received(datagram, ("127.0.0.1", 1))
    return {"taken": listener.counts.taken, **listener.counts.refused}


def test_each_is_taken_once(listener):
    first, second = (notes.pack(note(counter=number), KEY) for number in (1, 2))
    assert hear(listener, first, second, first, second) == {"taken": 2, "replayed": 2}


def test_a_replay_is_refused_by_an_agent_that_was_started_again(listener, tmp_path, credentials):
    datagram = notes.pack(note(counter=5), KEY)
    assert hear(listener, datagram) == {"taken": 1}
    assert hear(listening(tmp_path, credentials), datagram) == {"taken": 0, "replayed": 1}


def test_what_is_stale_forged_for_another_or_of_an_earlier_life_of_compute_is_refused(listener):
    now = time.time()
    heard = (
        notes.pack(note(at=now - 60), KEY),
        notes.pack(note(), bytes(32)),
        notes.pack(note(amphora_id="b"), KEY),
        notes.pack(note(boot_id="two", at=now), KEY),
        notes.pack(note(boot_id="one", at=now - 5, counter=9), KEY),
    )
    expected = {"taken": 1, "stale": 1, "BadSignature": 1, "for another": 1, "other boot": 1}
    assert hear(listener, *heard) == expected


def test_noise_is_counted_and_raises_nothing(listener):
    assert hear(listener, b"", b"x" * 40, os.urandom(500))["taken"] == 0


# ---- credentials


def packed(tmp_path: Path, **fields: object) -> bytes:
    authority = open_authority(tmp_path / "authority", SystemClock())
    body: bytes = msgpack.packb({"pem": authority.issue("a").pem, **fields})
    return body


def test_new_credentials_count_at_once_and_outlive_the_agent(tmp_path, credentials):
    other = open_authority(tmp_path / "other", SystemClock()).certificate_pem
    body = packed(tmp_path, heartbeat_key=b"n" * 32, heartbeat_key_version=2, ca=other, edition=3)
    credentials.take(body)
    for held in (credentials, Credentials(settings(tmp_path))):
        assert (held.heartbeat_key, held.heartbeat_key_version, held.edition) == (b"n" * 32, 2, 3)
        assert len(held.server_context().get_ca_certs()) == 1


def test_newer_files_in_the_config_folder_count_again(tmp_path, credentials):
    credentials.take(packed(tmp_path, heartbeat_key=b"n" * 32, heartbeat_key_version=2))
    later = time.time() + 10
    os.utime(tmp_path / "config" / "agent.pem", (later, later))
    assert Credentials(settings(tmp_path)).heartbeat_key_version == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"heartbeat_key": b"short", "heartbeat_key_version": 2}, "heartbeat_key must be 32 bytes"),
        ({"heartbeat_key": b"n" * 32}, "must come together"),
        ({"ca": b""}, "ca must hold"),
        ({"ca": b"nonsense"}, "ca"),
        ({"ca": "text"}, "ca must be bytes"),
        ({"pem": b"nonsense"}, "pem is no certificate"),
        ({"edition": True}, "edition must be int"),
    ],
)
def test_what_would_lock_us_out_is_refused_by_its_name_and_changes_nothing(tmp_path, credentials, fields, named):
    with pytest.raises(Invalid, match=named):
        credentials.take(packed(tmp_path, **fields))
    assert credentials.heartbeat_key_version == Credentials(settings(tmp_path)).heartbeat_key_version == 1


def test_the_private_key_does_not_show(credentials):
    assert "PRIVATE" not in repr(credentials._held)
    assert repr(KEY) not in repr(credentials._held)
