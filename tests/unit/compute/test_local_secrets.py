"""The store in files: what it keeps is unreadable without its key, and cannot be moved from one place to another."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from actium_compute.adapters.local_secrets import LocalSecretStore, open_local_secrets
from actium_compute.ports import Secret
from actium_shared.errors import PermanentError
from actium_shared.ids import SecretRef
from certificates import server, traces

WEB, OTHER = SecretRef("web"), SecretRef("https://barbican/v1/containers/../../other")
ISSUED = server()
SECRET = Secret(certificate_pem=ISSUED.pem, private_key_pem=ISSUED.key_pem)
NEWER = Secret(ca_pem=ISSUED.chain[-1].pem)


class Log:
    """What the log says is in force."""

    def __init__(self) -> None:
        self.current: dict[SecretRef, str] = {}

    async def digests(self, refs: Collection[SecretRef]) -> Mapping[SecretRef, str]:
        return {ref: self.current[ref] for ref in refs if ref in self.current}


async def read(store: LocalSecretStore, ref: SecretRef) -> Secret:
    found = (await store.read([ref]))[ref]
    if isinstance(found, PermanentError):
        raise found
    return found


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def store(tmp_path: Path, log: Log) -> LocalSecretStore:
    return open_local_secrets(tmp_path / "secrets", log.digests)


def contents(folder: Path) -> list[Path]:
    return sorted((folder / "secrets" / "content").iterdir())


async def test_what_is_kept_is_read_when_the_log_says_so_also_after_a_restart(
    tmp_path: Path, log: Log, store: LocalSecretStore
) -> None:
    store.put(WEB, SECRET)
    with pytest.raises(PermanentError, match="there is no secret web"):
        await read(store, WEB)
    log.current[WEB] = store.digest(SECRET)
    store.put(WEB, NEWER)  # and killed before that was told
    again = open_local_secrets(tmp_path / "secrets", log.digests)
    assert await read(again, WEB) == await read(store, WEB) == SECRET
    assert again.sealing_key == store.sealing_key


async def test_only_what_is_in_force_stays(tmp_path: Path, store: LocalSecretStore) -> None:
    for ref in (WEB, OTHER):
        store.put(ref, SECRET)
        store.put(ref, NEWER)
    store.keep_only([(OTHER, store.digest(NEWER))])
    (left,) = contents(tmp_path)
    assert left.name.endswith(store.digest(NEWER))


async def test_one_that_is_lost_does_not_hide_the_others(log: Log, store: LocalSecretStore) -> None:
    store.put(WEB, SECRET)
    log.current |= {WEB: store.digest(SECRET), OTHER: store.digest(NEWER)}
    found = await store.read([WEB, OTHER, SecretRef("nothing")])
    assert found[WEB] == SECRET
    assert [str(found[ref]) for ref in (OTHER, SecretRef("nothing"))] == [
        f"the content of secret {OTHER} is lost; put it again",
        "there is no secret nothing",
    ]


async def test_what_is_removed_is_gone_and_removed_again_without_harm(tmp_path: Path, store: LocalSecretStore) -> None:
    store.put(WEB, SECRET)
    store.put(WEB, NEWER)
    for _ in range(2):
        store.remove(WEB, store.digest(SECRET))
    (left,) = contents(tmp_path)
    assert left.name.endswith(store.digest(NEWER))


def test_files_are_their_owners_only_and_show_nothing(tmp_path: Path, store: LocalSecretStore) -> None:
    store.put(OTHER, SECRET)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        assert not any(trace in path.read_bytes() for trace in traces(ISSUED))
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


async def test_a_content_that_was_put_in_anothers_place_is_not_read(
    tmp_path: Path, log: Log, store: LocalSecretStore
) -> None:
    store.put(WEB, SECRET)
    (mine,) = contents(tmp_path)
    store.put(OTHER, SECRET)
    (theirs,) = set(contents(tmp_path)) - {mine}
    mine.replace(theirs)
    log.current[OTHER] = store.digest(SECRET)
    with pytest.raises(PermanentError, match="cannot be decrypted; put it again"):
        await read(store, OTHER)


async def test_a_lost_content_and_a_lost_key_are_said_and_putting_it_again_mends_it(
    tmp_path: Path, log: Log, store: LocalSecretStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(WEB, SECRET)
    log.current[WEB] = store.digest(SECRET)
    (tmp_path / "secrets" / "store.key").unlink()
    anew = open_local_secrets(tmp_path / "secrets", log.digests)
    assert "the key of the secrets is lost" in caplog.text
    with pytest.raises(PermanentError, match="cannot be decrypted; put it again"):
        await read(anew, WEB)
    contents(tmp_path)[0].unlink()
    with pytest.raises(PermanentError, match="is lost; put it again"):
        await read(anew, WEB)
    anew.put(WEB, SECRET)
    log.current[WEB] = anew.digest(SECRET)
    assert await read(anew, WEB) == SECRET


async def test_a_content_that_is_replaced_in_the_moment_of_reading_is_read_anew(tmp_path: Path) -> None:
    told: list[str] = []

    async def digests(_refs: Collection[SecretRef]) -> Mapping[SecretRef, str]:
        return {WEB: told.pop(0)}

    store = open_local_secrets(tmp_path / "secrets", digests)
    store.put(WEB, NEWER)
    told += [store.digest(SECRET), store.digest(NEWER)]
    assert await read(store, WEB) == NEWER


def test_a_key_file_of_another_length_ends_the_start(tmp_path: Path, log: Log, store: LocalSecretStore) -> None:
    assert store
    (tmp_path / "secrets" / "sealing.key").write_bytes(b"short")
    with pytest.raises(PermanentError, match=r"sealing\.key holds 5 bytes, and must hold 32"):
        open_local_secrets(tmp_path / "secrets", log.digests)
