"""
User text made into words of haproxy's configuration language: one word stays one word, whatever it contains.

Everything that is put into the template is a `Word`, a number, or a constant of ours.
"""

import ipaddress
import re
from typing import NewType

from actium_compute.amphora_drivers import RenderError

Word = NewType("Word", str)

LONGEST = 1024
"""haproxy's lines end at 2048 bytes, and what stands around a word needs room."""

MOST_MS = 24 * 86_400_000
"""haproxy counts milliseconds in 31 bits."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_COOKIE = re.compile(r"[A-Za-z0-9!#$%&*+.^_`|~-]{1,255}", re.ASCII)
_CODES = re.compile(r"[1-5][0-9]{2}(-[1-5][0-9]{2})?(, ?[1-5][0-9]{2}(-[1-5][0-9]{2})?)*", re.ASCII)


def identifier(text: str, what: str) -> Word:
    """Pass an id; ours are UUIDs, and nothing with a meaning to haproxy gets through."""
    return Word(_matching(_ID, text, what, "an id"))


def address(text: str, what: str) -> Word:
    try:
        return Word(str(ipaddress.ip_address(text)))
    except ValueError as exc:
        raise RenderError(f"{what}: {text!r} is not an IP address") from exc


def destination(text: str, what: str) -> Word:
    """Pass an address to connect to; haproxy takes the unspecified one for wherever the client wanted to go."""
    found = address(text, what)
    if ipaddress.ip_address(found).is_unspecified or ipaddress.ip_address(found).is_multicast:
        raise RenderError(f"{what}: {text!r} is not the address of one machine")
    return found


def network(text: str, what: str) -> Word:
    try:
        return Word(str(ipaddress.ip_network(text, strict=False)))
    except ValueError as exc:
        raise RenderError(f"{what}: {text!r} is not a range of addresses") from exc


def path(text: str, what: str) -> Word:
    """Quote a URL path, whose characters may mean something to haproxy."""
    if not text.startswith("/"):
        raise RenderError(f"{what}: {_shown(text)} does not begin with /")
    return quoted(_matching(_VISIBLE, text, what, "a URL path (visible ASCII characters)"), what)


def host(text: str, what: str) -> Word:
    return Word(_matching(_HOST, text, what, "a host name"))


def cookie_name(text: str, what: str) -> Word:
    return quoted(_matching(_COOKIE, text, what, "a cookie name"), what)


def status_codes(text: str, what: str) -> Word:
    return Word(_matching(_CODES, text, what, "HTTP status codes such as 200, 200,202 or 200-204").replace(" ", ""))


def one_of(text: str, known: dict[str, str], what: str) -> Word:
    """Translate one of our own constants; whatever else came is named, never passed on."""
    if text not in known:
        raise RenderError(f"{what}: {_shown(text)} is not supported; known are {', '.join(sorted(known))}")
    return Word(known[text])


def milliseconds(value: int) -> int:
    """Give what haproxy can count; 0 is for ever, of which it warns."""
    return min(value, MOST_MS) or MOST_MS


def quoted(text: str, what: str) -> Word:
    """Put text in strong quotes, in which haproxy reads nothing but the closing one."""
    if len(text) > LONGEST:
        raise RenderError(f"{what}: {len(text)} characters are too long, {LONGEST} are possible")
    return Word("'" + text.replace("'", "'\\''") + "'")


def _matching(pattern: re.Pattern[str], text: str, what: str, right: str) -> str:
    if not pattern.fullmatch(text):
        raise RenderError(f"{what}: {_shown(text)} is not {right}")
    return text


def _shown(text: str) -> str:
    return repr(text[:80])
