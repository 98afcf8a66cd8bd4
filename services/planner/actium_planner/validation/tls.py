"""TLS settings that listeners and pools have in common."""

import re
from typing import Protocol

from actium_planner.validation.grammar import matches, one_of
from actium_planner.validation.refusals import Refusals

VERSIONS = frozenset({"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"})
ALPN_PROTOCOLS = frozenset({"h2", "http/1.1", "http/1.0"})
CIPHERS = re.compile(r"[A-Za-z0-9\-+!:@=_.]+")


class HasTls(Protocol):
    @property
    def tls_ciphers(self) -> str | None: ...
    @property
    def tls_versions(self) -> tuple[str, ...]: ...
    @property
    def alpn_protocols(self) -> tuple[str, ...]: ...


def refusals(value: HasTls) -> Refusals:
    """Refuse what no TLS library could be told; an empty list stands for the default."""
    yield from matches("tls_ciphers", value.tls_ciphers, CIPHERS, "an OpenSSL cipher string")
    for version in value.tls_versions:
        yield from one_of("tls_versions", version, VERSIONS)
    for protocol in value.alpn_protocols:
        yield from one_of("alpn_protocols", protocol, ALPN_PROTOCOLS)
