"""
The certificate authority that amphorae and controller trust: its key, the certificates it gives, TLS towards agents.

Nothing is kept of an amphora's private key: it exists while the amphora is booted, and in the amphora. One authority can
follow another, step by step (`editions`): then there are two for a while.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from actium_compute.editions import Edition, Phase, advanced, introduced
from actium_shared.clock import Clock
from actium_shared.errors import PermanentError
from actium_shared.message import Actor

CONTROLLER_NAME = "controller.actium"
"""An agent obeys whoever shows a certificate with this name."""

AUTHORITY_LIFETIME = timedelta(days=3650)
AMPHORA_LIFETIME = timedelta(days=30)
CLIENT_LIFETIME = timedelta(days=2)
"""Made anew at each start and at half its life, so a stolen one is soon worth nothing."""

BACKDATED = timedelta(minutes=5)
"""An amphora's clock may be a little behind."""

_EDITION_FILE = "edition.json"
_CLIENT_FILE = "client.pem"
_GATEWAY_FILE = "gateway.pem"
_PURPOSES = {_CLIENT_FILE: ExtendedKeyUsageOID.CLIENT_AUTH, _GATEWAY_FILE: ExtendedKeyUsageOID.SERVER_AUTH}
_SIDES = {_CLIENT_FILE: ssl.PROTOCOL_TLS_CLIENT, _GATEWAY_FILE: ssl.PROTOCOL_TLS_SERVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its private key as one PEM."""

    pem: bytes = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Signer:
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    """Opened with `open_authority`."""

    def __init__(
        self,
        folder: Path,
        edition: Edition,
        signers: Mapping[int, _Signer],
        clock: Clock,
        *,
        lifetime: timedelta = AMPHORA_LIFETIME,
    ) -> None:
        self._folder = folder
        self._signers = dict(signers)
        self._clock = clock
        self._lifetime = lifetime
        self._contexts: dict[str, tuple[ssl.SSLContext, datetime]] = {}
        self.edition = edition

    @property
    def certificate_pem(self) -> bytes:
        """What others need to trust us; no secret."""
        return b"".join(self._signers[number].pem for number in self.edition.given)

    @property
    def renew_before(self) -> timedelta:
        """A third of a certificate's life: that long an agent may be out of reach and still be trusted afterwards."""
        return self._lifetime / 3

    def issue(self, amphora_id: str) -> Issued:
        """Give a new amphora's certificate: it proves this id, to whoever connects to it, and to our gateway."""
        both = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._issue(amphora_id, self._lifetime, *both, signer=self._signers[self.edition.issuer])

    def vouches_for(self, expires_at: datetime) -> bool:
        """
        Tell whether an amphora's certificate with this end can be one of ours, and still good.

        Where it was given before any authority that we trust existed, that one's key was lost and made anew.
        """
        oldest = min(signer.certificate.not_valid_before_utc for signer in self._trusted())
        return oldest + BACKDATED <= expires_at - self._lifetime and self._clock.now() < expires_at

    def client_context(self) -> ssl.SSLContext:
        """Give TLS as the controller speaks it with agents; the caller names the agent that it expects."""
        return self._context(_CLIENT_FILE)

    def gateway_context(self) -> ssl.SSLContext:
        """Give TLS as the controller speaks it with agents that come to it; each shows its own certificate."""
        return self._context(_GATEWAY_FILE)

    def replace(self, *, reason: str = "", asked_by: Actor | None = None) -> bool:
        """Begin to put another authority into this one's place; False where that is under way already."""
        if self.edition.phase is not Phase.SETTLED:
            return False
        new = introduced(self.edition, reason=reason, asked_by=asked_by)
        _make(self._folder, new.trusted[-1], self._clock)
        self._signers[new.trusted[-1]] = _read(self._folder, new.trusted[-1])
        self._turn_to(new)
        return True

    def advance(self) -> Edition:
        """Take the next step of a replacement: everybody has taken the one before."""
        self._turn_to(advanced(self.edition))
        return self.edition

    def _turn_to(self, edition: Edition) -> None:
        # One file says what counts, so a kill leaves one step or the next; what it does not name is no more.
        write_private(self._folder / _EDITION_FILE, msgspec.json.encode(edition))
        self.edition = edition
        self._contexts.clear()
        for number in set(self._signers) - set(edition.trusted):
            del self._signers[number]
        _tidy(self._folder, edition)

    def _trusted(self) -> Iterator[_Signer]:
        return (self._signers[number] for number in self.edition.trusted)

    def _context(self, file: str) -> ssl.SSLContext:
        context, renew_at = self._contexts.get(file, (None, self._clock.now()))
        if context is None or self._clock.now() >= renew_at:
            context = self._new_context(file)
            self._contexts[file] = (context, self._clock.now() + CLIENT_LIFETIME / 2)
        return context

    def _new_context(self, file: str) -> ssl.SSLContext:
        signer = self._signers[self.edition.controller]
        issued = self._issue(CONTROLLER_NAME, CLIENT_LIFETIME, _PURPOSES[file], signer=signer)
        write_private(self._folder / file, issued.pem)  # the ssl module reads files only
        context = ssl.SSLContext(_SIDES[file])
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=b"".join(each.pem for each in self._trusted()).decode())
        context.load_cert_chain(self._folder / file)
        return context

    def _issue(self, name: str, lifetime: timedelta, *purposes: x509.ObjectIdentifier, signer: _Signer) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now().replace(microsecond=0)
        certificate = (
            _builder(name, key.public_key(), now, lifetime)
            .issuer_name(signer.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
            .sign(signer.key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + _key_pem(key)
        return Issued(pem=pem, expires_at=certificate.not_valid_after_utc)


def open_authority(folder: Path, clock: Clock, *, lifetime: timedelta = AMPHORA_LIFETIME) -> Authority:
    """
    Open the authority in `folder`, and make it if this is the first time.

    Raises:
        PermanentError: what is there cannot be read; everything that was certified by it would be lost with it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    edition = _edition(folder)
    for number in edition.trusted:
        if edition.phase is Phase.SETTLED and not _certificate_file(folder, number).exists():
            _make(folder, number, clock)
    signers = {number: _read(folder, number) for number in edition.trusted}
    _tidy(folder, edition)
    return Authority(folder, edition, signers, clock, lifetime=lifetime)


def _edition(folder: Path) -> Edition:
    try:
        return msgspec.json.decode((folder / _EDITION_FILE).read_bytes(), type=Edition)
    except FileNotFoundError:
        return Edition()  # no authority was ever replaced
    except (OSError, msgspec.DecodeError) as exc:
        raise PermanentError(f"the authority in {folder} cannot be read: {_EDITION_FILE}: {exc}") from exc


def _read(folder: Path, number: int) -> _Signer:
    try:
        key = serialization.load_pem_private_key(_key_file(folder, number).read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(_certificate_file(folder, number).read_bytes())
    except (OSError, ValueError) as exc:
        raise PermanentError(f"the authority in {folder} cannot be read: {exc}") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise PermanentError(f"the authority in {folder} has a key and a certificate that do not belong together")
    return _Signer(key, certificate)


def _tidy(folder: Path, edition: Edition) -> None:
    """Remove the keys of authorities that are trusted no more, or that a killed process began to make."""
    kept = {file(folder, number) for number in edition.trusted for file in (_key_file, _certificate_file)}
    for path in {*folder.glob("ca*.key"), *folder.glob("ca*.pem")} - kept:
        path.unlink()


def _key_file(folder: Path, number: int) -> Path:
    return folder / ("ca.key" if number == 1 else f"ca-{number}.key")


def _certificate_file(folder: Path, number: int) -> Path:
    return _key_file(folder, number).with_suffix(".pem")


def write_private(path: Path, content: bytes) -> None:
    """Write the whole file or nothing, readable by its owner only from its first moment on; then it is on the disk."""
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)
    with open(half, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make(folder: Path, number: int, clock: Clock) -> None:
    name = "Actium amphora authority" if number == 1 else f"Actium amphora authority {number}"
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(name, key.public_key(), clock.now(), AUTHORITY_LIFETIME)
        .issuer_name(_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    # The certificate comes last: a key without one was left by a killed process and is made anew.
    write_private(_key_file(folder, number), _key_pem(key))
    write_private(_certificate_file(folder, number), certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    name: str, public_key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
