"""
TLS, towards clients and towards members: the words for haproxy, and the files that they name.

Files are named after references, not contents: what a wish says is known without reading any secret.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import words
from actium_compute.amphora_drivers.haproxy.served import Served, served
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import SecretRef
from actium_shared.wishes import Listener, Pool

FOLDER = "certificates"
PLACE = f"/run/amphora/{FOLDER}"
"""Where the agent puts the bundle's folder of that name."""

VERSIONS = {
    "SSLv3": "SSLv3",
    "TLSv1": "TLSv1.0",
    "TLSv1.1": "TLSv1.1",
    "TLSv1.2": "TLSv1.2",
    "TLSv1.3": "TLSv1.3",
}
"""Oldest first."""

SUITES = frozenset(
    (
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    )
)
UNSPOKEN = "SSLv3"
"""By OpenSSL as it is built today; beside others it does no harm."""

MODERN = ("TLSv1.2", "TLSv1.3")
MODERN_WORDS = frozenset(VERSIONS[version] for version in MODERN)
ANY_SECURITY = "@SECLEVEL=0"
"""What OpenSSL 3 has to be told before it speaks anything older, whichever versions are allowed."""

PROTOCOLS = {"h2": "h2", "http/1.1": "http/1.1", "http/1.0": "http/1.0"}
CLIENT_AUTHENTICATION = {"OPTIONAL": "optional", "MANDATORY": "required"}
TERMINATED = "TERMINATED_HTTPS"
NAME_DIGITS = 32

Purpose = Literal["pem", "ca.pem", "crl.pem"]


@dataclass(frozen=True, slots=True)
class Need:
    """A file that haproxy is told to read, and the secret that it comes from."""

    ref: SecretRef
    purpose: Purpose

    @property
    def name(self) -> Word:
        # A digest: whatever characters a reference has, none of them reaches a path.
        return Word(f"{hashlib.sha256(self.ref.encode()).hexdigest()[:NAME_DIGITS]}.{self.purpose}")

    def content(self, secret: Secret) -> bytes:
        """
        Give what the file holds.

        Raises:
            RenderError: the secret has no such part.
        """
        parts = {
            "pem": (secret.certificate_pem, secret.private_key_pem),
            "ca.pem": (secret.ca_pem,),
            "crl.pem": (secret.crl_pem,),
        }[self.purpose]
        if not all(parts):
            raise RenderError(f"secret {self.ref}: has no {_KINDS[self.purpose]}")
        return _joined(*parts, *((secret.intermediates_pem,) if self.purpose == "pem" else ()))


_KINDS = {"pem": "certificate with its private key", "ca.pem": "CA certificate", "crl.pem": "revocation list"}


def needs(order: ConfigureAmphora) -> tuple[Need, ...]:
    """Give every file that the wish leads to, each once."""
    return tuple(dict.fromkeys(need for one in served(order) for need in _of_one(one)))


def files(order: ConfigureAmphora, secrets: Mapping[SecretRef, Secret]) -> dict[str, bytes]:
    """
    Give the files beside haproxy.cfg.

    Raises:
        RenderError: a secret is not among `secrets`, or is of another kind.
    """
    found = {f"{FOLDER}/{need.name}": need.content(_secret(secrets, need.ref)) for need in needs(order)}
    return found | {
        f"{FOLDER}/{_list_name(one.listener)}": _list(one.listener) for one in served(order) if terminates(one.listener)
    }


def terminates(listener: Listener) -> bool:
    """Tell whether clients of this listener talk TLS to haproxy itself."""
    return listener.protocol == TERMINATED or (listener.protocol == "PROMETHEUS" and bool(_certificates(listener)))


def listener_words(listener: Listener) -> tuple[Word, ...]:
    """Give what a bind says about TLS; nothing where it has none."""
    if not terminates(listener):
        return ()
    what = f"listener {listener.id}"
    if not _certificates(listener):
        raise RenderError(f"{what}: default_tls_container_ref: {TERMINATED} needs a certificate")
    return (
        *(Word("ssl"), Word("crt-list"), Word(f"{PLACE}/{_list_name(listener)}")),
        *_client_authentication(listener, what),
        *_versions_and_ciphers(listener, what),
        *_alpn(listener.alpn_protocols, what),
    )


def member_words(pool: Pool, mode: Word, listener: Listener) -> tuple[Word, ...]:
    """
    Give what servers of this pool say about TLS; nothing where traffic to them is clear text.

    A client's wish for a host is passed on. Where an authority is given the member has to be that host, too.
    """
    if not pool.tls_enabled:
        return ()
    what = f"pool {pool.id}"
    found = {need.purpose: need.name for need in _pool_needs(pool)}
    return (
        Word("ssl"),
        *((Word("crt"), found["pem"]) if "pem" in found else ()),
        *_trust(found, "required"),
        *((Word("sni"), Word("ssl_fc_sni")) if terminates(listener) else ()),
        *_versions_and_ciphers(pool, what),
        # Bytes that are passed on unread may be anything: haproxy has no protocol to offer for them.
        *(_alpn(pool.alpn_protocols, what) if mode == "http" else ()),
    )


def check_protocol(pool: Pool, mode: Word) -> Word | None:
    """
    Give what HTTP checks of encrypted members negotiate; None where that is nothing.

    It has to be said: haproxy would offer what traffic does, and then speak HTTP/1 to whoever has chosen HTTP/2.
    """
    if not pool.tls_enabled or mode != "http" or not pool.alpn_protocols:
        return None
    known = [words.one_of(protocol, PROTOCOLS, f"pool {pool.id}: alpn_protocols") for protocol in pool.alpn_protocols]
    return Word(",".join(protocol for protocol in known if protocol != "h2") or "h2")


def _trust(found: Mapping[Purpose, Word], verify: str) -> tuple[Word, ...]:
    if "ca.pem" not in found:
        return (Word("verify"), Word("none"))
    revoked = (Word("crl-file"), found["crl.pem"]) if "crl.pem" in found else ()
    return (Word("ca-file"), found["ca.pem"], *revoked, Word("verify"), Word(verify))


def _client_authentication(listener: Listener, what: str) -> tuple[Word, ...]:
    if listener.client_authentication == "NONE":
        return ()
    found = {need.purpose: need.name for need in _client_needs(listener)}
    if not found:
        raise RenderError(f"{what}: client_ca_tls_container_ref: client_authentication needs a CA")
    return _trust(
        found, words.one_of(listener.client_authentication, CLIENT_AUTHENTICATION, f"{what}: client_authentication")
    )


def _versions_and_ciphers(value: Listener | Pool, what: str) -> tuple[Word, ...]:
    versions = _versions(value.tls_versions, what)
    return (*versions, *_ciphers(value.tls_ciphers, what, is_old=not MODERN_WORDS.issuperset(versions[1::2])))


def _versions(wanted: tuple[str, ...], what: str) -> tuple[Word, ...]:
    """Give the range that haproxy takes: from the newest down to the last before a gap, so nothing unwished is spoken."""
    known = [words.one_of(version, VERSIONS, f"{what}: tls_versions") for version in wanted or MODERN]
    if set(known) == {UNSPOKEN}:
        raise RenderError(f"{what}: tls_versions: {UNSPOKEN} is spoken by no amphora any more; TLSv1 is the oldest")
    newest_first = list(reversed(VERSIONS.values()))
    newest = next(at for at, version in enumerate(newest_first) if version in known)
    oldest = newest
    while oldest + 1 < len(newest_first) and newest_first[oldest + 1] in known:
        oldest += 1
    return (Word("ssl-min-ver"), Word(newest_first[oldest]), Word("ssl-max-ver"), Word(newest_first[newest]))


def _ciphers(text: str | None, what: str, *, is_old: bool) -> tuple[Word, ...]:
    """TLS 1.3 has suites of its own, and another list for them: there an unknown name is an error, and is left out."""
    if not text:
        return (Word("ciphers"), Word(f"DEFAULT:{ANY_SECURITY}")) if is_old else ()
    names = words.cipher_names(text, f"{what}: tls_ciphers")
    suites = ":".join(name for name in names if name in SUITES)
    older = ":".join(name for name in names if not name.startswith("TLS_"))
    if not suites and not older:
        raise RenderError(f"{what}: tls_ciphers: no cipher in it is known")
    if is_old and "@SECLEVEL" not in older:
        older = f"{older or 'DEFAULT'}:{ANY_SECURITY}"
    return (
        *((Word("ciphers"), Word(older)) if older else ()),
        *((Word("ciphersuites"), Word(suites)) if suites else ()),
    )


def _alpn(protocols: tuple[str, ...], what: str) -> tuple[Word, ...]:
    known = [words.one_of(protocol, PROTOCOLS, f"{what}: alpn_protocols") for protocol in protocols]
    return (Word("alpn"), Word(",".join(known))) if known else ()


def _of_one(one: Served) -> Iterator[Need]:
    if terminates(one.listener):
        yield from _certificates(one.listener)
        yield from _client_needs(one.listener)
    for wish in one.pools:
        yield from _pool_needs(wish.pool)


def _certificates(listener: Listener) -> tuple[Need, ...]:
    """The first is for clients that name no host, or one that no certificate is for."""
    refs = (listener.default_tls_container_ref, *listener.sni_container_refs)
    return tuple(dict.fromkeys(Need(ref, "pem") for ref in refs if ref))


def _client_needs(listener: Listener) -> tuple[Need, ...]:
    if listener.client_authentication == "NONE":
        return ()
    return _needs(None, listener.client_ca_tls_container_ref, listener.client_crl_container_ref)


def _pool_needs(pool: Pool) -> tuple[Need, ...]:
    if not pool.tls_enabled:
        return ()
    return _needs(pool.tls_container_ref, pool.ca_tls_container_ref, pool.crl_container_ref)


def _needs(pem: SecretRef | None, ca: SecretRef | None, crl: SecretRef | None) -> tuple[Need, ...]:
    wanted: tuple[tuple[SecretRef | None, Purpose], ...] = (
        (pem, "pem"),
        (ca, "ca.pem"),
        (crl if ca else None, "crl.pem"),
    )
    return tuple(Need(ref, purpose) for ref, purpose in wanted if ref)


def _list_name(listener: Listener) -> Word:
    return Word(f"{words.identifier(listener.id, 'listener')}.crtlist")


def _list(listener: Listener) -> bytes:
    """Names without a folder: haproxy puts `crt-base` in front, which the agent changes when it checks."""
    return "".join(f"{need.name}\n" for need in _certificates(listener)).encode()


def _secret(secrets: Mapping[SecretRef, Secret], ref: SecretRef) -> Secret:
    if ref not in secrets:
        raise RenderError(f"secret {ref}: does not exist")
    return secrets[ref]


def _joined(*parts: bytes) -> bytes:
    return b"".join(part.strip() + b"\n" for part in parts if part)
