"""Real chains of certificates for tests: a root, what it signs, lists of what was revoked; and files as people have them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LIFETIME = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key; `issuer` is None for a root."""

    certificate: x509.Certificate
    key: Key
    issuer: "Issued | None" = None

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.encoded_key(serialization.PrivateFormat.PKCS8)

    def encoded_key(self, form: serialization.PrivateFormat, *, passphrase: bytes | None = None) -> bytes:
        encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, form, encryption)

    @property
    def chain(self) -> "tuple[Issued, ...]":
        """Who signed it, its issuer first, the root last."""
        return (self.issuer, *self.issuer.chain) if self.issuer else ()

    @property
    def intermediates_pem(self) -> bytes:
        return b"".join(each.pem for each in self.chain if each.issuer)

    def pkcs12(self, *, passphrase: bytes | None = None) -> bytes:
        encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        others = [each.certificate for each in self.chain]
        return pkcs12.serialize_key_and_certificates(b"web", self.key, self.certificate, others, encryption)

    def crl(self, revoked: Sequence["Issued"] = (), *, due_in: timedelta = LIFETIME) -> bytes:
        """Give the list of what this authority has revoked, as PEM."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(now - timedelta(minutes=5)).next_update(now + due_in)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def root(name: str = "Test root") -> Issued:
    return issue(name, None, authority=True)


def issue(
    name: str,
    issuer: Issued | None,
    *,
    authority: bool = False,
    names: Sequence[str] = (),
    key: Key | None = None,
    lifetime: timedelta = LIFETIME,
) -> Issued:
    """Certify a key: a server's or a client's, or another authority's."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names or ["test"]]), critical=False)
    )
    return Issued(builder.sign((issuer.key if issuer else key), hashes.SHA256()), key, issuer)


def server(name: str = "www.example.com", *, names: Sequence[str] = (), key: Key | None = None) -> Issued:
    """Give a server's certificate, two steps below a root of its own."""
    between = issue(f"Intermediate of {name}", root(f"Root of {name}"), authority=True)
    return issue(name, between, names=names or (name,), key=key)


def traces(issued: Issued) -> tuple[bytes, ...]:
    """
    Give what shows that somebody wrote a P-256 key down: pieces of its number, as it is, in hex, in PEM, and base64 of these.

    Pieces, since who wraps lines or compresses may cut the whole; none so short that chance makes one.
    """
    assert isinstance(issued.key, ec.EllipticCurvePrivateKey)
    number = issued.key.private_numbers().private_value.to_bytes(32, "big")
    pem = issued.key_pem
    first, second = (line[start:end] for line, start, end in zip(pem.splitlines()[1:3], (48, 0), (64, 24), strict=True))
    place = pem.index(second)
    encoded = [base64.b64encode(text[shift:])[:28] for text in (number, pem[place:]) for shift in range(3)]
    return (number[:16], number[16:], number.hex().encode(), first, second, *encoded)
