"""
Where amphorae bring their listeners' logs, and what lets each of them write there: under its own names, for some time.

The key stays here. What an amphora is given is a signature for a prefix of its own (Swift's temporary URLs), which is part
of its bundle; it is made anew in each half of its life, so it is the same each time that a bundle is rendered in between.
"""

import hashlib
import hmac
import math
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from actium_compute.amphora_drivers.bundle import Logs, LogStream
from actium_compute.amphora_drivers.haproxy.words import plain
from actium_compute.settings import ComputeSettings, endpoint
from actium_shared.clock import Clock
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.errors import SettingsError

FLAVOR_KEY = "listener_logs"
PROJECT = "{project_id}"
PORTS = {"http": 80, "https": 443}
KEY_LEAST_BYTES = 16
SECONDS_MOST = 86_400.0

_PATH = re.compile(r"/v1/[A-Za-z0-9_.~{}-]+/[A-Za-z0-9_.~{}-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A store as the settings describe it; `path` may hold `{project_id}`."""

    addresses: tuple[tuple[str, int], ...]
    host: str
    server_name: str
    path: str
    key: bytes = field(repr=False)
    ca: str
    format: str
    cut_after_s: float
    keep_s: float
    delete_after_s: int
    lifetime_s: float


class LogStore:
    """None at all where there is no `site`."""

    def __init__(self, site: Site | None, clock: Clock) -> None:
        self._site = site
        self._clock = clock

    def granted_until(self, amphora_id: str) -> int:
        """Give when what the amphora would be granted now ends, in seconds of the epoch; 0 where it would be granted nothing."""
        if self._site is None:
            return 0
        half_s = self._site.lifetime_s / 2
        # Not all at once: what follows is a bundle for each.
        shift_s = zlib.crc32(amphora_id.encode()) % half_s
        halves = math.floor((self._clock.now().timestamp() + shift_s) / half_s)
        return int((halves + 2) * half_s - shift_s)

    def grant(self, order: ConfigureAmphora) -> Logs | None:
        """Give what the amphora needs to know of logs; None where none of its load balancers has any."""
        site = self._site
        balancers = [
            each.load_balancer for each in order.load_balancers if each.load_balancer.flavor.get(FLAVOR_KEY, True)
        ]
        if site is None or not balancers:
            return None
        # All are of one project: an appliance carries no others.
        project = plain(balancers[0].project_id)
        path, expires_at = site.path.replace(PROJECT, project), self.granted_until(order.amphora_id)
        prefixes = {each.id: f"{project}/{plain(each.id)}/{plain(order.amphora_id)}/" for each in balancers}
        return Logs(
            addresses=site.addresses,
            host=site.host,
            server_name=site.server_name,
            ca=site.ca,
            path=path,
            expires_at=expires_at,
            cut_after_s=site.cut_after_s,
            keep_s=site.keep_s,
            delete_after_s=site.delete_after_s,
            format=site.format,
            streams={
                key: LogStream(prefix=prefix, signature=_signature(site.key, f"{path}/{prefix}", expires_at))
                for key, prefix in prefixes.items()
            },
        )


def _signature(key: bytes, prefix: str, expires_at: int) -> str:
    return hmac.new(key, f"PUT\n{expires_at}\nprefix:{prefix}".encode(), hashlib.sha256).hexdigest()


def open_log_store(settings: ComputeSettings, clock: Clock) -> LogStore:
    """
    Give the store of the settings.

    Raises:
        SettingsError: what is set of it makes no sense; the message names the setting.
    """
    return LogStore(_site(settings) if settings.log_store_url else None, clock)


def _site(settings: ComputeSettings) -> Site:
    url = _url(settings.log_store_url)
    return Site(
        addresses=_addresses(url, settings),
        host=url.netloc,
        server_name=url.hostname or "" if url.scheme == "https" else "",
        path=url.path,
        key=_key(settings.log_store_key_file),
        ca=_read(settings.log_store_ca_file, "LOG_STORE_CA_FILE").decode("ascii") if settings.log_store_ca_file else "",
        format=_format(settings.log_format),
        cut_after_s=_seconds(settings.log_store_every_s, "LOG_STORE_EVERY_S"),
        keep_s=_seconds(settings.log_store_keep_s, "LOG_STORE_KEEP_S"),
        delete_after_s=settings.log_store_delete_after_s,
        lifetime_s=_lifetime(settings.log_store_signature_lifetime_s),
    )


def _url(text: str) -> SplitResult:
    url = urlsplit(text)
    if url.scheme not in PORTS or not url.hostname or not _PATH.fullmatch(url.path) or url.query or url.username:
        raise SettingsError(
            "setting ACTIUM_LOG_STORE_URL must be a container's URL such as https://swift.example/v1/AUTH_actium/logs,"
            f" and is {text!r}"
        )
    return url


def _addresses(url: SplitResult, settings: ComputeSettings) -> tuple[tuple[str, int], ...]:
    if settings.log_store_addresses:
        return tuple(endpoint(text, "LOG_STORE_ADDRESSES") for text in settings.log_store_addresses)
    try:
        return (endpoint(f"{url.hostname}:{url.port or PORTS[url.scheme]}", "LOG_STORE_URL"),)
    except SettingsError as exc:
        raise SettingsError(
            f"setting ACTIUM_LOG_STORE_ADDRESSES is missing: amphorae ask no name server, so {url.hostname!r}"
            " tells them nothing; name the store's ip:port as they reach it"
        ) from exc


def _key(path: Path | None) -> bytes:
    if path is None:
        raise SettingsError(
            "setting ACTIUM_LOG_STORE_KEY_FILE is missing: the temporary URL key of account or container"
        )
    key = _read(path, "LOG_STORE_KEY_FILE").strip()
    if len(key) < KEY_LEAST_BYTES:
        raise SettingsError(f"setting ACTIUM_LOG_STORE_KEY_FILE: {path} holds less than {KEY_LEAST_BYTES} bytes")
    return key


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"setting ACTIUM_{setting}: {path} cannot be read: {exc.strerror}") from exc


def _format(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable():
        raise SettingsError(f"setting ACTIUM_LOG_FORMAT must be one line of haproxy's log-format, not {text!r}")
    return text


def _seconds(value: float, setting: str) -> float:
    if not 0 < value <= SECONDS_MOST:
        raise SettingsError(f"setting ACTIUM_{setting} must be above 0 and at most {SECONDS_MOST:g}, not {value:g}")
    return value


def _lifetime(value: float) -> float:
    if not value >= 2:
        raise SettingsError(f"setting ACTIUM_LOG_STORE_SIGNATURE_LIFETIME_S must be at least 2, not {value:g}")
    return value
