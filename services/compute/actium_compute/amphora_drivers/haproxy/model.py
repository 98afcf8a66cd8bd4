"""What an haproxy of ours can be told, as values. Whatever a user wrote is in here as a `Word` or a number."""

from dataclasses import dataclass

from actium_compute.amphora_drivers.bundle import Interface
from actium_compute.amphora_drivers.haproxy.words import Word

PING_SOCKET = Word("/run/amphora/ping.sock")
"""The agent's: haproxy cannot ping. Asked for `<backend>/<server>` it answers UP or DOWN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A request, and the answers that are good."""

    method: Word
    path: Word
    version: Word
    host: Word | None
    expected: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How servers of one backend are checked."""

    interval_s: int
    timeout_s: int
    fall: int
    rise: int
    tls: bool
    sni: Word | None
    """Whom an encrypted check asks for; and in which of the traffic's protocols it speaks."""

    alpn: Word | None
    ping: bool
    hello: bool
    """Whether it answers to a TLS hello in any way that TLS knows; no more is exchanged."""

    http: HttpCheck | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One member in one backend; `tls` are the words that encrypt what goes to it, none for clear text."""

    name: Word
    address: Word
    port: int
    weight: int
    disabled: bool
    backup: bool
    check: Check | None
    check_address: Word | None
    check_port: int | None
    interface: Word | None
    proxy_protocol: Word | None
    tls: tuple[Word, ...]

    @property
    def words(self) -> str:
        """What follows a server's name, in the file and in `add server` alike; less `disabled`, which comes and goes."""
        return self.words_at(self.address)

    def words_at(self, address: Word) -> str:
        """As `words`, for another address."""
        words = [f"{bracketed(address)}:{self.port}", f"weight {self.weight}"]
        words += ["backup"] if self.backup else []
        words += [f"source {self._any_address} interface {self.interface}"] if self.interface else []
        words += [self.proxy_protocol] if self.proxy_protocol else []
        words += self.tls
        words += self._check_words(self.check) if self.check else []
        return " ".join(words)

    def _check_words(self, check: Check) -> list[str]:
        words = [f"check inter {check.interval_s}s fall {check.fall} rise {check.rise}"]
        if check.ping:
            return [*words, f"addr unix@{PING_SOCKET}"]
        # Where traffic is encrypted checks would be, too; but a hello inside of TLS is none.
        words += ["no-check-ssl"] if check.hello and self.tls else []
        words += ["check-ssl"] if check.tls else []
        # `verify` is one setting for checks and traffic: where traffic is encrypted its own word stands.
        words += ["verify none"] if check.tls and not self.tls else []
        if self._is_checked_in_tls(check):
            words += [f"check-sni {check.sni}"] if check.sni else []
            words += [f"check-alpn {check.alpn}"] if check.alpn else []
        words += [f"addr {bracketed(self.check_address)}"] if self.check_address else []
        words += [f"port {self.check_port}"] if self.check_port else []
        return words

    def _is_checked_in_tls(self, check: Check) -> bool:
        # haproxy takes a place of its own for another service, of which it knows nothing.
        return check.tls or (bool(self.tls) and not (check.hello or self.check_address or self.check_port))

    @property
    def _any_address(self) -> str:
        return "[::]" if ":" in self.address else "0.0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """
    What keeps a client on its server: a cookie of ours, one that is learned from replies, or its address.

    haproxy makes our cookie's value from `key` and the server's address and port, which no other server of the pool has:
    so servers may come at run time, and each worker and each amphora knows the same values.
    """

    kind: str
    cookie: Word | None
    key: Word | None
    learned: tuple[Word, Word] | None
    """Where the cookie is found: in replies, in requests."""

    expires_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A pool as one listener uses it."""

    name: Word
    mode: Word
    algorithm: Word
    timeout_connect_ms: int
    timeout_server_ms: int
    check: Check | None
    persistence: Persistence | None
    servers: tuple[Server, ...]

    @property
    def remembers(self) -> bool:
        """Whether it has a table of clients."""
        return self.persistence is not None and self.persistence.kind != "insert"

    @property
    def consistent(self) -> bool:
        """Hashes only take servers at runtime if they are consistent."""
        return self.algorithm.startswith(("source", "hash"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a request must look like: one of `samples`, compared in the way that `flags` say."""

    name: Word
    samples: tuple[Word, ...]
    flags: Word
    value: Word | None
    invert: bool

    @property
    def condition(self) -> str:
        return f"!{self.name}" if self.invert else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is done with requests that all rules match: `action` is deny, location, prefix or backend."""

    number: int
    rules: tuple[Rule, ...]
    action: str
    target: Word | None
    code: int | None

    @property
    def conditions(self) -> str:
        return " ".join(rule.condition for rule in self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """A listener. Without a backend it answers 503, or hangs up where it has no words for that."""

    name: Word
    mode: Word
    binds: tuple[str, ...]
    tls: tuple[Word, ...]
    connection_limit: int | None
    timeout_client_ms: int
    timeout_inspect_ms: int
    allowed: tuple[Word, ...]
    forward_for: bool
    headers: tuple[tuple[str, str], ...]
    transport_security: Word | None
    policies: tuple[Policy, ...]
    by_source_port: bool
    metrics: bool
    log_format: Word | None
    backend: Word | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Who shares what is remembered of clients: a worker with the one that replaces it, by `bind`, and with partners."""

    name: Word
    bind: str
    partners: tuple[tuple[Word, str], ...]
    """Names, addresses with ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All of it; `peers` where something is remembered."""

    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    interfaces: tuple[Interface, ...]
    peers: Peers | None

    @property
    def metrics(self) -> bool:
        return any(frontend.metrics for frontend in self.frontends)


def bind(address: Word, port: int) -> str:
    return f"{bracketed(address)}:{port}"


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
