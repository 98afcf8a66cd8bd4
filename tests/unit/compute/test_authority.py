"""The certificate authority, and keys derived from the master key."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from actium_compute.authority import AMPHORA_LIFETIME, CLIENT_LIFETIME, open_authority
from actium_shared.crypto import heartbeat_key, read_master_key
from actium_shared.errors import PermanentError, SettingsError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class MovableClock:
    """Time stands where it is put."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


def test_the_authority_is_made_once_and_its_key_is_for_its_owner_only(tmp_path: Path, clock: MovableClock) -> None:
    first = open_authority(tmp_path / "authority", clock)
    assert open_authority(tmp_path / "authority", clock).certificate_pem == first.certificate_pem
    first.client_context()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "authority").iterdir()}
    assert modes == {"ca.key": 0o600, "ca.pem": 0o600, "client.pem": 0o600}
    assert (tmp_path / "authority").stat().st_mode & 0o777 == 0o700


def test_one_that_was_half_made_by_a_killed_process_is_made_anew(tmp_path: Path, clock: MovableClock) -> None:
    open_authority(tmp_path, clock)
    (tmp_path / "ca.pem").unlink()
    assert open_authority(tmp_path, clock).issue("a").pem


def test_a_damaged_one_is_named_and_not_replaced(tmp_path: Path, clock: MovableClock) -> None:
    open_authority(tmp_path, clock)
    (tmp_path / "ca.key").write_bytes(b"nonsense")
    with pytest.raises(PermanentError, match="cannot be read"):
        open_authority(tmp_path, clock)


def test_an_amphora_gets_its_own_name_a_new_key_and_thirty_days(tmp_path: Path, clock: MovableClock) -> None:
    authority = open_authority(tmp_path, clock)
    one, two = authority.issue("amphora-1"), authority.issue("amphora-1")
    certificate = x509.load_pem_x509_certificate(one.pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["amphora-1"]
    assert timedelta() <= clock.now() + AMPHORA_LIFETIME - one.expires_at < timedelta(seconds=1)
    assert certificate.public_key() != x509.load_pem_x509_certificate(two.pem).public_key()
    assert load_pem_private_key(one.pem, None).public_key() == certificate.public_key()
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem))


def test_the_controllers_certificate_is_renewed_before_it_ends(tmp_path: Path, clock: MovableClock) -> None:
    authority = open_authority(tmp_path, clock)
    first = authority.client_context()
    assert authority.client_context() is first
    clock.time += CLIENT_LIFETIME / 2
    assert authority.client_context() is not first
    assert first.minimum_version is ssl.TLSVersion.TLSv1_3


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 9), st.integers(1, 9))
def test_a_heartbeat_key_belongs_to_one_amphora_and_one_version(one: str, two: str, first: int, second: int) -> None:
    keys = heartbeat_key(bytes(32), one, first), heartbeat_key(bytes(32), two, second)
    assert (keys[0] == keys[1]) == ((one, first) == (two, second))
    assert heartbeat_key(b"x" * 32, one, first) != keys[0]
    assert len(keys[0]) == 32


def test_a_master_key_of_the_wrong_length_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(SettingsError, match="cannot be read"):
        read_master_key(path)
    path.write_bytes(b"short")
    with pytest.raises(SettingsError, match="5 bytes"):
        read_master_key(path)


def test_it_vouches_for_what_it_gave_until_that_ends_and_not_for_what_is_older_than_itself(
    tmp_path: Path, clock: MovableClock
) -> None:
    before = open_authority(tmp_path / "old", clock).issue("a").expires_at
    clock.time += timedelta(minutes=1)
    authority = open_authority(tmp_path / "new", clock)
    own = authority.issue("a").expires_at
    assert authority.vouches_for(own)
    assert not authority.vouches_for(before)
    clock.time = own
    assert not authority.vouches_for(own)


def test_private_keys_do_not_show(tmp_path: Path, clock: MovableClock) -> None:
    assert "PRIVATE" not in repr(open_authority(tmp_path, clock).issue("a"))
