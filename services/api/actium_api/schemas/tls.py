"""What listeners and pools have in common about TLS: field types, the site's defaults, and what the site forbids."""

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, Field

from actium_api.faults import Fault, invalid
from actium_api.schemas.fields import LongText, Text
from actium_api.settings import ApiSettings

TLS_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""Oldest first."""

ALPN_PROTOCOLS = ("h2", "http/1.1", "http/1.0")
SUITES_BEGIN = "TLS_"
SUITES = frozenset(
    (
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    )
)
"""All that TLS 1.3 has."""

_CIPHERS = re.compile(r"[A-Za-z0-9+!:@=_.-]+", re.ASCII)
_SEPARATORS = re.compile(r"[:,\s]")


def _ciphers(value: str) -> str:
    if not _CIPHERS.fullmatch(value):
        raise ValueError("Value should be cipher names joined by colons, of letters, digits and - + ! : @ = _ .")
    return value


def _reference(value: str) -> str:
    if not value.strip():
        raise ValueError("Value should be a secret's reference, or null for none")
    return value


Reference = Annotated[Text, AfterValidator(_reference)]
Ciphers = Annotated[LongText, AfterValidator(_ciphers)]
Versions = tuple[Annotated[str, Field(max_length=32)], ...]
Alpn = tuple[Literal["h2", "http/1.0", "http/1.1"], ...]


class HasTls(Protocol):
    """A body with the three fields."""

    @property
    def tls_ciphers(self) -> str | None: ...
    @property
    def tls_versions(self) -> tuple[str, ...] | None: ...
    @property
    def alpn_protocols(self) -> tuple[str, ...] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The three fields; None is for those who do no TLS, or leave it to the amphora."""

    ciphers: str | None = None
    versions: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the operator has chosen for a kind of resource."""

    defaults: Tls
    minimum_version: str | None
    prohibited_ciphers: frozenset[str]

    def fill(self, sent: HasTls) -> Tls:
        """Give what is sent, and the defaults for the rest."""
        return Tls(
            ciphers=sent.tls_ciphers or self.defaults.ciphers,
            versions=sent.tls_versions or self.defaults.versions,
            alpn=sent.alpn_protocols or self.defaults.alpn,
        )

    def check(self, sent: HasTls) -> None:
        """
        Refuse values that nobody may have here; what is not sent is fine.

        Raises:
            Fault: 400.
        """
        self.check_ciphers(sent.tls_ciphers)
        if sent.tls_versions is not None:
            self._check_versions(sent.tls_versions)
        if sent.alpn_protocols is not None and not sent.alpn_protocols:
            raise invalid("alpn_protocols", [], f"It must name at least one of {', '.join(ALPN_PROTOCOLS)}.")

    def check_ciphers(self, ciphers: str | None) -> None:
        """
        Refuse ciphers that are prohibited here, and lists that name none at all.

        Raises:
            Fault: 400.
        """
        if ciphers is not None and not _names_a_cipher(ciphers):
            raise invalid("tls_ciphers", ciphers, "It names no cipher that is known here.")
        wrong = sorted({*_SEPARATORS.split(ciphers or "")} & self.prohibited_ciphers)
        if wrong:
            raise Fault(400, f"tls_ciphers must not name {', '.join(wrong)}: prohibited by the administrator.")

    def _check_versions(self, versions: Iterable[str]) -> None:
        named = list(versions)
        wrong = [version for version in named if version not in TLS_VERSIONS]
        if wrong or not named:
            raise invalid(
                "tls_versions", named, f"It must name at least one of {', '.join(TLS_VERSIONS)}, and no other."
            )
        least = self.minimum_version
        if least is None:
            return
        older = [version for version in named if TLS_VERSIONS.index(version) < TLS_VERSIONS.index(least)]
        if older:
            raise Fault(400, f"tls_versions must not name {', '.join(older)}: the oldest allowed is {least}.")


def _names_a_cipher(ciphers: str) -> bool:
    """Ask OpenSSL, as haproxy will. TLS 1.3 has suites of its own, in a list of their own."""
    names = [name for name in ciphers.split(":") if name]
    older = ":".join(name for name in names if not name.startswith(SUITES_BEGIN))
    if not older:
        return not SUITES.isdisjoint(names)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(older)
    except ssl.SSLError:
        return False
    return True


def listeners(settings: ApiSettings) -> Site:
    """Give the operator's choice for listeners."""
    return _site(
        settings,
        Tls(
            ciphers=settings.default_listener_ciphers,
            versions=settings.default_listener_tls_versions,
            alpn=settings.default_listener_alpn_protocols,
        ),
    )


def pools(settings: ApiSettings) -> Site:
    """Give the operator's choice for pools."""
    return _site(
        settings,
        Tls(
            ciphers=settings.default_pool_ciphers,
            versions=settings.default_pool_tls_versions,
            alpn=settings.default_pool_alpn_protocols,
        ),
    )


def _site(settings: ApiSettings, defaults: Tls) -> Site:
    return Site(
        defaults=defaults,
        minimum_version=settings.minimum_tls_version or None,
        prohibited_ciphers=frozenset(settings.tls_cipher_prohibit_list),
    )
