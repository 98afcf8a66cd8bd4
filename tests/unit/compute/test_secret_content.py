"""What people have as certificates, in its many forms, becomes one; and what cannot be used is refused in words."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from actium_compute.pkcs12_cost import iterations
from actium_compute.ports import Secret
from actium_compute.secret_content import ContentError, read, refusal
from actium_shared.commands.compute import SecretKind
from certificates import issue, root, server

WEB = server()
INTERMEDIATE, ROOT = WEB.chain
WHOLE = Secret(certificate_pem=WEB.pem, private_key_pem=WEB.key_pem, intermediates_pem=INTERMEDIATE.pem)


@pytest.mark.parametrize(
    "content",
    [
        WEB.pem + WEB.key_pem + INTERMEDIATE.pem,
        INTERMEDIATE.pem + WEB.encoded_key(PrivateFormat.TraditionalOpenSSL) + ROOT.pem + WEB.pem,
        b"Bag Attributes\n  friendlyName: web\n" + WEB.key_pem.replace(b"\n", b"\r\n") + WEB.pem + INTERMEDIATE.pem * 2,
        WEB.pkcs12(),
    ],
    ids=["in order", "in another order, with the root", "with a tool's remarks and twice", "PKCS#12"],
)
def test_a_certificate_its_key_and_its_chain_are_found_in_any_form_and_order(content: bytes) -> None:
    found = read(content)
    assert (found.secret, found.kind) == (WHOLE, SecretKind.CERTIFICATE)
    assert found.expires_at == WEB.certificate.not_valid_after_utc


def test_the_chain_is_put_in_order() -> None:
    upper = issue("Upper", root(), authority=True)
    lower = issue("Lower", upper, authority=True)
    leaf = issue("leaf", lower)
    content = leaf.key_pem + upper.pem + lower.pem + leaf.pem
    assert read(content).secret.intermediates_pem == lower.pem + upper.pem


def test_a_certificate_that_signed_itself_is_enough() -> None:
    own = root("own")
    assert read(own.pem + own.key_pem).secret == Secret(certificate_pem=own.pem, private_key_pem=own.key_pem)


def test_an_authority_is_a_bundle_without_a_key_and_ends_with_the_first_of_it() -> None:
    short = issue("short", None, authority=True, lifetime=timedelta(days=1))
    found = read(ROOT.pem + short.pem)
    assert (found.secret, found.kind) == (Secret(ca_pem=ROOT.pem + short.pem), SecretKind.CA)
    assert found.expires_at == short.certificate.not_valid_after_utc


def test_a_revocation_list_ends_when_the_next_is_due() -> None:
    crl = ROOT.crl([INTERMEDIATE], due_in=timedelta(days=2))
    found = read(crl)
    assert (found.secret, found.kind) == (Secret(crl_pem=crl), SecretKind.CRL)
    assert found.expires_at is not None
    assert timedelta(days=1) < found.expires_at - datetime.now(UTC) < timedelta(days=3)


OTHER = server("other.example.com")
WEAK = server(key=rsa.generate_private_key(public_exponent=65_537, key_size=1024))
REFUSALS = {
    "neither PEM nor a PKCS#12": b"hello",
    "a PKCS#12 file without a passphrase": WEB.pkcs12(passphrase=b"secret"),
    "openssl pkey": WEB.pem + WEB.encoded_key(PrivateFormat.PKCS8, passphrase=b"secret"),
    "encrypted with a passphrase": WEB.pem + WEB.encoded_key(PrivateFormat.TraditionalOpenSSL, passphrase=b"secret"),
    "holds 2 private keys": WEB.pem + WEB.key_pem + OTHER.key_pem,
    "without a certificate": WEB.key_pem,
    "does not belong to the certificate of CN=www.example.com": WEB.pem + OTHER.key_pem,
    "CN=other.example.com does not belong to the chain": WEB.pem + WEB.key_pem + OTHER.pem,
    "1024 bits": WEAK.pem + WEAK.key_pem,
    "a CRL and something else": ROOT.crl() + ROOT.pem,
    r"PEM block 2 \(CERTIFICATE\) cannot be read": WEB.pem + WEB.pem[:200] + b"\n-----END CERTIFICATE-----\n",
    "OPENSSH PRIVATE KEY is nothing": b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    "holds no certificate": b"-----BEGIN CERTIFICATE-----",
    "has 1048577 bytes": bytes(1024 * 1024 + 1),
}


@pytest.mark.parametrize("words", REFUSALS)
def test_what_cannot_be_used_is_refused_in_words_that_show_nothing_of_it(words: str) -> None:
    with pytest.raises(ContentError, match=words) as refused:
        read(REFUSALS[words])
    key_lines = WEB.key_pem.splitlines()[1:-1]
    assert not any(line.decode() in str(refused.value) for line in key_lines)


def test_another_kind_than_the_wished_one_is_refused_and_both_are_named() -> None:
    with pytest.raises(ContentError, match=r"a certificate with its private key, and a bundle of authorities"):
        read(WEB.pem + WEB.key_pem, "ca")


def test_a_crl_must_be_signed_by_its_authority() -> None:
    crl = Secret(crl_pem=ROOT.crl())
    assert refusal(crl, SecretKind.CRL, ca=Secret(ca_pem=OTHER.pem + ROOT.pem)) == ""
    assert "is not signed" in refusal(crl, SecretKind.CRL, ca=Secret(ca_pem=root("Root of www.example.com").pem))
    assert refusal(crl, SecretKind.CRL) == ""


def test_a_secret_of_any_store_is_looked_at_before_it_is_used() -> None:
    assert refusal(WHOLE, SecretKind.CERTIFICATE) == ""
    assert "and a certificate revocation list" in refusal(WHOLE, SecretKind.CRL)
    assert "does not belong" in refusal(
        Secret(certificate_pem=WEB.pem, private_key_pem=OTHER.key_pem), SecretKind.CERTIFICATE
    )
    assert "holds no certificate" in refusal(Secret(), SecretKind.CA)


def pkcs12_file(rounds: int) -> bytes:
    """Give one with a passphrase, hashed so often for each part of the file that it is needed for."""
    encryption = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).build(b"-")
    return pkcs12.serialize_key_and_certificates(b"web", WEB.key, WEB.certificate, None, encryption)


def test_how_dear_a_pkcs12_file_is_to_open_is_known_before_it_is_opened() -> None:
    parts, rest = divmod(iterations(pkcs12_file(20_000)), 20_000)
    assert (parts, rest < 20_000) == (2, True)  # certificates and key; the rest is what shows that nothing was changed
    with pytest.raises(ContentError, match="neither PEM nor a PKCS#12 file without a passphrase"):
        read(pkcs12_file(20_000))
    dear = pkcs12_file(900_000)
    began = time.process_time()
    with pytest.raises(ContentError, match=r"takes 18\d{5} iterations, and 1500000 are possible"):
        read(dear)
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize(
    "content", [b"", b"\x30", b"\x30\x80\x02\x01\x03\0\0", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x1f\x81\x00"]
)
def test_what_is_no_der_is_refused_without_being_opened(content: bytes) -> None:
    with pytest.raises(ContentError, match="neither PEM nor a PKCS#12 file"):
        read(content)


def test_more_certificates_than_a_chain_has_are_refused() -> None:
    others = b"".join(root(f"Root {number}").pem for number in range(21))
    with pytest.raises(ContentError, match="21 certificates besides its own, and 20 are possible"):
        read(WEB.pem + WEB.key_pem + others)


def test_a_bundle_of_hundreds_of_authorities_is_kept_with_each_once() -> None:
    found = read(ROOT.pem * 500 + INTERMEDIATE.pem * 500)
    assert found.secret.ca_pem == ROOT.pem + INTERMEDIATE.pem


def test_more_revocation_lists_than_can_be_looked_through_are_refused() -> None:
    with pytest.raises(ContentError, match="more than 64 CRLs"):
        read(ROOT.crl() * 65)


def test_a_key_that_is_too_large_to_be_looked_at_is_refused_unseen() -> None:
    large = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * 20_000 + b"\n-----END RSA PRIVATE KEY-----\n"
    with pytest.raises(ContentError, match="private key has 20063 bytes, and 16384 are possible"):
        read(WEB.pem + large)
