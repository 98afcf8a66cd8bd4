"""
The certificate authority that amphorae and controller trust: its key, the certificates it gives, TLS towards agents.

Nothing is kept of an amphora's private key: it exists while the amphora is booted, and in the amphora.
"""

import os
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from actium_shared.clock import Clock
from actium_shared.errors import PermanentError

CONTROLLER_NAME = "controller.actium"
"""An agent obeys whoever shows a certificate with this name."""

AUTHORITY_LIFETIME = timedelta(days=3650)
AMPHORA_LIFETIME = timedelta(days=30)
CLIENT_LIFETIME = timedelta(days=2)
"""Made anew at each start and at half its life, so a stolen one is soon worth nothing."""

BACKDATED = timedelta(minutes=5)
"""An amphora's clock may be a little behind."""

_KEY_FILE = "ca.key"
_CERTIFICATE_FILE = "ca.pem"
_CLIENT_FILE = "client.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its private key as one PEM."""

    pem: bytes = field(repr=False)
    expires_at: datetime


class Authority:
    """Opened with `open_authority`."""

    def __init__(
        self, folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, clock: Clock
    ) -> None:
        self._folder = folder
        self._key = key
        self._certificate = certificate
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._context_renew_at = clock.now()

    @property
    def certificate_pem(self) -> bytes:
        """What others need to trust us; no secret."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, amphora_id: str) -> Issued:
        """Give a new amphora's certificate: it proves this id, to whoever connects to it."""
        return self._issue(amphora_id, AMPHORA_LIFETIME, ExtendedKeyUsageOID.SERVER_AUTH)

    def vouches_for(self, expires_at: datetime) -> bool:
        """
        Tell whether an amphora's certificate with this end can be one of ours, and still good.

        Where it was given before this authority existed, that one's key was lost and made anew.
        """
        made_at = self._certificate.not_valid_before_utc + BACKDATED
        return made_at <= expires_at - AMPHORA_LIFETIME and self._clock.now() < expires_at

    def client_context(self) -> ssl.SSLContext:
        """Give TLS as the controller speaks it with agents; the caller names the agent that it expects."""
        if self._context is None or self._clock.now() >= self._context_renew_at:
            self._context = self._new_context()
            self._context_renew_at = self._clock.now() + CLIENT_LIFETIME / 2
        return self._context

    def _new_context(self) -> ssl.SSLContext:
        issued = self._issue(CONTROLLER_NAME, CLIENT_LIFETIME, ExtendedKeyUsageOID.CLIENT_AUTH)
        write_private(self._folder / _CLIENT_FILE, issued.pem)  # the ssl module reads files only
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=self.certificate_pem.decode())
        context.load_cert_chain(self._folder / _CLIENT_FILE)
        return context

    def _issue(self, name: str, lifetime: timedelta, purpose: x509.ObjectIdentifier) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now().replace(microsecond=0)
        certificate = (
            _builder(name, key.public_key(), now, lifetime)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + _key_pem(key)
        return Issued(pem=pem, expires_at=certificate.not_valid_after_utc)


def open_authority(folder: Path, clock: Clock) -> Authority:
    """
    Open the authority in `folder`, and make it if this is the first time.

    Raises:
        PermanentError: what is there cannot be read; everything that was certified by it would be lost with it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / _CERTIFICATE_FILE).exists():
        _make(folder, clock)
    try:
        key = serialization.load_pem_private_key((folder / _KEY_FILE).read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate((folder / _CERTIFICATE_FILE).read_bytes())
    except (OSError, ValueError) as exc:
        raise PermanentError(f"the authority in {folder} cannot be read: {exc}") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise PermanentError(f"the authority in {folder} has a key and a certificate that do not belong together")
    return Authority(folder, key, certificate, clock)


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


def _make(folder: Path, clock: Clock) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder("Actium amphora authority", key.public_key(), clock.now(), AUTHORITY_LIFETIME)
        .issuer_name(_name("Actium amphora authority"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    # The certificate comes last: a key without one was left by a killed process and is made anew.
    write_private(folder / _KEY_FILE, _key_pem(key))
    write_private(folder / _CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.PEM))


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
