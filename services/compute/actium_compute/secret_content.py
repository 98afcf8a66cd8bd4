"""
What is in a secret: PEM or PKCS#12 to a `Secret`, in one spelling, and what is wrong with it in words. Pure.

No message here shows any of the content but names of certificates.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from actium_compute import pkcs12_cost
from actium_compute.ports import Secret
from actium_shared.commands.compute import SecretKind
from actium_shared.errors import PermanentError

MOST_BYTES = 1024 * 1024
"""The authorities of the whole world are a quarter of it; it has to reach every amphora that uses it in two seconds."""

LEAST_RSA_BITS = 2048
"""OpenSSL in an amphora takes no less."""

MOST_RSA_BITS = 8192
"""To see whether a larger key is one takes seconds, and every handshake would take long."""

KEY_MOST_BYTES = 16 * 1024
"""As PEM; an RSA key of the most bits has 6 kB."""

MOST_ITERATIONS = 1_500_000
"""Of the password's hash, in all parts of a PKCS#12 file together: about a second. Tools take 2,000 to 600,000 a part."""

MOST_IN_CHAIN = 20
MOST_LISTS = 64
SAME_NAME_MOST = 8
"""Authorities of one name: an authority that renews its key keeps its name, but not this often."""

BROKEN_HASHES = (hashes.MD5, hashes.SHA1)

NEITHER = (
    "it is neither PEM nor a PKCS#12 file without a passphrase; `openssl pkcs12 -in FILE -nodes` makes PEM of one that"
    " has a passphrase"
)
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE")
_KEYS = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY")
_IGNORED = (b"EC PARAMETERS", b"DH PARAMETERS", b"PUBLIC KEY")
_OTHER_NAMES = {b"X509 CERTIFICATE": b"CERTIFICATE"}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class ContentError(PermanentError):
    """It cannot be used; the message says why and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A secret, what kind it is, and when it ends."""

    secret: Secret
    kind: SecretKind
    expires_at: datetime | None


@dataclass(slots=True)
class _Parts:
    keys: list[PrivateKey] = field(default_factory=list, repr=False)
    certificates: dict[x509.Certificate, None] = field(default_factory=dict)
    """In their order, each once."""
    crls: list[x509.CertificateRevocationList] = field(default_factory=list)


def read(content: bytes, kind: str = "") -> Read:
    """
    Understand what somebody wants to have kept.

    Raises:
        ContentError: it is nothing that can be used, or not of this kind.
    """
    if len(content) > MOST_BYTES:
        raise ContentError(f"it has {len(content)} bytes, and {MOST_BYTES} are possible")
    parts = _pem(content) if b"-----BEGIN " in content else _pkcs12(content)
    found = _kind(parts)
    if kind and (words := of_another_kind(found, SecretKind(kind))):
        raise ContentError(words)
    match found:
        case SecretKind.CERTIFICATE:
            return _certificate(parts)
        case SecretKind.CA:
            return _ca(parts)
        case SecretKind.CRL:
            return _crl(parts)


def of_another_kind(found: str, wanted: SecretKind) -> str:
    """Say why a secret of this kind cannot be used as that; nothing where they are the same."""
    return "" if found == wanted else f"it is {_said(SecretKind(found))}, and {_said(wanted)} is wanted"


def refusal(secret: Secret, kind: SecretKind, *, ca: Secret | None = None) -> str:
    """Say why a secret cannot be used as this; nothing if it can. A CRL must be signed by the `ca`, if that is given."""
    try:
        parts = _pem(b"\n".join(_texts(secret)))
        if words := of_another_kind(_kind(parts), kind):
            return words
        if kind is SecretKind.CERTIFICATE:
            _leaf(parts)
        if kind is SecretKind.CRL and ca is not None:
            return _signature_refusal(parts, _pem(ca.ca_pem))
    except ContentError as exc:
        return str(exc)
    return ""


def _texts(secret: Secret) -> tuple[bytes, ...]:
    return (
        secret.certificate_pem,
        secret.private_key_pem,
        secret.intermediates_pem,
        secret.ca_pem,
        secret.crl_pem,
    )


def _said(kind: SecretKind) -> str:
    return {
        SecretKind.CERTIFICATE: "a certificate with its private key",
        SecretKind.CA: "a bundle of authorities' certificates, without any key",
        SecretKind.CRL: "a certificate revocation list (CRL)",
    }[kind]


def _kind(parts: _Parts) -> SecretKind:
    if parts.crls:
        if parts.keys or parts.certificates:
            raise ContentError("it holds a CRL and something else; a CRL is kept under a reference of its own")
        return SecretKind.CRL
    if parts.keys:
        return SecretKind.CERTIFICATE
    if parts.certificates:
        return SecretKind.CA
    raise ContentError("it holds no certificate, no private key and no CRL")


def _pem(content: bytes) -> _Parts:
    parts = _Parts()
    for number, (label, block) in enumerate(_blocks(content), 1):
        try:
            _take(parts, label, block)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            # The library's own words may cite what they do not understand, which may be a key.
            raise ContentError(f"PEM block {number} ({label.decode()}) cannot be read") from exc
    return parts


def _blocks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for found in _BLOCK.finditer(content):
        label = found[1]
        plain = _OTHER_NAMES.get(label, label)
        yield plain, b"-----BEGIN %s-----%s-----END %s-----\n" % (plain, found[2], plain)


def _take(parts: _Parts, label: bytes, block: bytes) -> None:
    if label == b"ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in block:
        raise ContentError(
            "its private key is encrypted with a passphrase; decrypt it first, as with `openssl pkey -in KEY -out PLAIN`"
        )
    if label in _KEYS:
        if len(block) > KEY_MOST_BYTES:
            raise ContentError(f"its private key has {len(block)} bytes, and {KEY_MOST_BYTES} are possible")
        parts.keys.append(_checked_key(serialization.load_pem_private_key(block, password=None)))
    elif label in _CERTIFICATES:
        parts.certificates[x509.load_pem_x509_certificate(block)] = None
    elif label == b"X509 CRL":
        if len(parts.crls) == MOST_LISTS:
            raise ContentError(f"it holds more than {MOST_LISTS} CRLs")
        parts.crls.append(x509.load_pem_x509_crl(block))
    elif label not in _IGNORED:
        raise ContentError(f"PEM block {label.decode()} is nothing that a load balancer can use")


def _pkcs12(content: bytes) -> _Parts:
    key, certificate, others = _opened(content)
    if key is None or certificate is None:
        raise ContentError("the PKCS#12 file must hold one certificate with its private key")
    parts = _Parts(keys=[_checked_key(key)])
    parts.certificates.update(dict.fromkeys((certificate, *others)))
    return parts


def _opened(content: bytes) -> tuple[object, x509.Certificate | None, list[x509.Certificate]]:
    _check_cost(content)
    for password in (None, b""):  # tools differ in what they take for no passphrase
        try:
            return pkcs12.load_key_and_certificates(content, password)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
    raise ContentError(NEITHER)


def _check_cost(content: bytes) -> None:
    try:
        wanted = pkcs12_cost.iterations(content)
    except pkcs12_cost.NotDerError as exc:
        raise ContentError(NEITHER) from exc
    if wanted > MOST_ITERATIONS:
        raise ContentError(
            f"to open the PKCS#12 file takes {wanted} iterations, and {MOST_ITERATIONS} are possible; `openssl pkcs12 -in"
            " FILE -nodes` makes PEM of it"
        )


def _checked_key(key: object) -> PrivateKey:
    if not isinstance(key, PrivateKey):
        raise ContentError("its private key is none of RSA, EC, Ed25519 and Ed448")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        raise ContentError(f"its RSA key has {key.key_size} bits, and {LEAST_RSA_BITS} are the least that is safe")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size > MOST_RSA_BITS:
        raise ContentError(f"its RSA key has {key.key_size} bits, and {MOST_RSA_BITS} are the most that is possible")
    return key


def _certificate(parts: _Parts) -> Read:
    leaf = _leaf(parts)
    intermediates = _chain(leaf, [each for each in parts.certificates if each != leaf])
    secret = Secret(
        certificate_pem=_text([leaf]),
        private_key_pem=parts.keys[0].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        intermediates_pem=_text(intermediates),
    )
    return Read(secret=secret, kind=SecretKind.CERTIFICATE, expires_at=leaf.not_valid_after_utc)


def _leaf(parts: _Parts) -> x509.Certificate:
    if len(parts.keys) != 1:
        raise ContentError(f"it holds {len(parts.keys)} private keys, and must hold one")
    own = _public(parts.keys[0].public_key())
    for certificate in parts.certificates:
        if _public_of(certificate) == own:
            _check_hash(certificate)
            return certificate
    if not parts.certificates:
        raise ContentError("it holds a private key without a certificate")
    raise ContentError(f"its private key does not belong to the certificate of {_name(next(iter(parts.certificates)))}")


def _check_hash(certificate: x509.Certificate) -> None:
    if isinstance(certificate.signature_hash_algorithm, BROKEN_HASHES):
        name = certificate.signature_hash_algorithm.name
        raise ContentError(
            f"the certificate of {_name(certificate)} is signed with {name}, which nobody accepts any more"
        )


def _chain(leaf: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """Give what leads from the leaf to its root, the leaf's issuer first; clients have the root themselves."""
    if len(others) > MOST_IN_CHAIN:
        raise ContentError(f"it holds {len(others)} certificates besides its own, and {MOST_IN_CHAIN} are possible")
    chain, left = [leaf], list(others)
    for certificate in chain:  # grows while it is walked
        issuers = [each for each in left if _issued(each, certificate)]
        left = [each for each in left if each not in issuers]
        chain += issuers
    if left:
        raise ContentError(f"the certificate of {_name(left[0])} does not belong to the chain of {_name(leaf)}")
    return [each for each in chain[1:] if each.issuer != each.subject]


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _ca(parts: _Parts) -> Read:
    return Read(
        secret=Secret(ca_pem=_text(list(parts.certificates))),
        kind=SecretKind.CA,
        expires_at=min(each.not_valid_after_utc for each in parts.certificates),
    )


def _crl(parts: _Parts) -> Read:
    due = [each.next_update_utc for each in parts.crls if each.next_update_utc is not None]
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in parts.crls)
    return Read(secret=Secret(crl_pem=pem), kind=SecretKind.CRL, expires_at=min(due, default=None))


def _signature_refusal(parts: _Parts, authorities: _Parts) -> str:
    by_name: dict[x509.Name, list[x509.Certificate]] = {}
    for authority in authorities.certificates:
        by_name.setdefault(authority.subject, []).append(authority)
    for crl in parts.crls:
        if not any(_signed(crl, authority) for authority in by_name.get(crl.issuer, ())[:SAME_NAME_MOST]):
            return f"the CRL of {crl.issuer.rfc4514_string()} is not signed by any of the CA's certificates"
    return ""


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):  # a kind of key that signs no CRL
        return False


def _text(certificates: Sequence[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def _public_of(certificate: x509.Certificate) -> bytes | None:
    try:
        return _public(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):  # a key of a kind that the library does not know
        return None


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"serial number {certificate.serial_number}"
