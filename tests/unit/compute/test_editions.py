"""One authority follows another: the order of the steps, and what is left by a process that was killed between two."""

import itertools
from pathlib import Path

import pytest
from cryptography import x509

from actium_compute import authority as module
from actium_compute.authority import Authority, open_authority
from actium_compute.editions import Edition, Phase, advanced, introduced
from actium_shared.clock import SystemClock


def opened(folder: Path) -> Authority:
    return open_authority(folder, SystemClock())


def issuer(pem: bytes) -> str:
    return x509.load_pem_x509_certificate(pem).issuer.rfc4514_string()


def test_nobody_is_ever_certified_by_one_that_others_do_not_trust_yet() -> None:
    now, steps = Edition(), [Edition()]
    for _ in range(3):
        now = introduced(now)
        while True:
            steps.append(now)
            if now.phase is Phase.SETTLED:
                break
            now = advanced(now)
    for before, after in itertools.pairwise(steps):
        # While amphorae and we go from one step to the next, all pairs of both must trust each other.
        assert {before.issuer, after.issuer} <= set(before.trusted) & set(after.trusted) or after.number == 2
        assert after.issuer in before.trusted or after.phase is Phase.INTRODUCING
        assert after.controller in before.given
        assert before.controller in after.given or before.number < after.number
    assert now == Edition(number=10, issuer=4, controller=4, given=(4,), trusted=(4,))


def test_settled_nothing_advances() -> None:
    assert advanced(Edition()) == Edition()


def test_each_step_is_there_after_a_restart(tmp_path: Path) -> None:
    opened(tmp_path).replace()
    phases = []
    while (now := opened(tmp_path)).edition.phase is not Phase.SETTLED:
        phases.append((now.edition.phase, now.certificate_pem.count(b"BEGIN"), issuer(now.issue("a").pem)))
        now.client_context()
        now.gateway_context()
        now.advance()
    old, new = "CN=Actium amphora authority", "CN=Actium amphora authority 2"
    assert phases == [(Phase.INTRODUCING, 2, old), (Phase.CERTIFYING, 2, new), (Phase.RETIRING, 1, new)]
    assert sorted(path.name for path in tmp_path.glob("ca*")) == ["ca-2.key", "ca-2.pem"]


def test_asked_twice_it_is_begun_once(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    assert [authority.replace(), authority.replace(), opened(tmp_path).replace()] == [True, False, False]
    assert authority.edition.number == 2


@pytest.mark.parametrize("after", [1, 2, 3])
def test_killed_while_it_is_begun_it_was_never_asked_for_or_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    authority, written = opened(tmp_path), []
    real = module.write_private

    def killed(path: Path, content: bytes) -> None:
        real(path, content)
        written.append(path)
        if len(written) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_private", killed)
    with pytest.raises(KeyboardInterrupt):
        authority.replace()
    monkeypatch.undo()
    again = opened(tmp_path)
    assert again.edition.phase is (Phase.INTRODUCING if after == 3 else Phase.SETTLED)
    assert len(list(tmp_path.glob("ca*"))) == (4 if after == 3 else 2)
    again.replace()
    assert again.edition.number == 2
