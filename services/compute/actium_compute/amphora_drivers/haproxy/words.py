"""
User text made into words of haproxy's configuration language: one word stays one word, whatever it contains.

Everything that is put into the template is a `Word`, a number, or a constant of ours.
"""

import ipaddress
import re
from typing import NewType

from actium_compute.amphora_drivers import RenderError

Word = NewType("Word", str)

LONGEST = 4096
"""haproxy takes longer lines; a word that is longer than this is a mistake."""

MOST_MS = 24 * 86_400_000
"""haproxy counts milliseconds in 31 bits."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_COOKIE = re.compile(r"[!-+\--:<-\[\]-~]{1,255}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,255}", re.ASCII)
_DN_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,254}", re.ASCII)
_URL = re.compile(r"https?://[!-~]+", re.ASCII | re.IGNORECASE)
_CIPHERS = re.compile(r"[A-Za-z0-9+!:@=_.-]{1,2048}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_CODES = re.compile(r"[0-9]{3}(-[0-9]{3})?( *, *[0-9]{3}(-[0-9]{3})?)*", re.ASCII)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_SPECIAL = re.compile(r"""([\\"])""")
_BACKSLASHED = r"\\\1"


def identifier(text: str, what: str) -> Word:
    """Pass an id; ours are UUIDs, and nothing with a meaning to haproxy gets through."""
    return Word(_matching(_ID, text, what, "an id"))


def address(text: str, what: str) -> Word:
    try:
        found = ipaddress.ip_address(text)
    except ValueError as exc:
        raise RenderError(f"{what}: {_shown(text)} is not an IP address") from exc
    if getattr(found, "scope_id", None):  # which may hold any text
        raise RenderError(f"{what}: {_shown(text)} has a zone, which means nothing here")
    return Word(str(found))


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


def url_path(text: str, what: str) -> str:
    """Pass what can stand in a request's first line."""
    if not text.startswith("/"):
        raise RenderError(f"{what}: {_shown(text)} does not begin with /")
    return _matching(_VISIBLE, text, what, "a URL path (visible ASCII characters)")


def path(text: str, what: str) -> Word:
    """Quote a URL path, whose characters may mean something to haproxy."""
    return quoted(url_path(text, what), what)


def host(text: str, what: str) -> Word:
    return Word(_matching(_HOST, text, what, "a host name"))


def cookie_name(text: str, what: str) -> str:
    """Pass more than a standard allows, as applications do; it needs `sample` around it."""
    return _matching(_COOKIE, text, what, "a cookie's name")


def header_name(text: str, what: str) -> str:
    """Pass what can be a header's or a cookie's name; it needs `sample` around it."""
    return _matching(_TOKEN, text, what, "a header's name")


def dn_field(text: str, what: str) -> str:
    return _matching(_DN_FIELD, text, what, "a field of a distinguished name such as CN")


def sample(fetch: str, argument: str = "", *, then: str = "") -> Word:
    """Give a sample fetch with its argument, in which haproxy would take quotes, blanks and brackets for its own."""
    if not argument:
        return Word(fetch + then)
    return _quoted(f'{fetch}("{re.sub(_SPECIAL, _BACKSLASHED, argument)}"){then}')


def text_value(text: str, what: str) -> Word:
    """Quote text to compare with; whatever can be printed can be compared."""
    if not text.isprintable():
        raise RenderError(f"{what}: {_shown(text)} has characters that cannot be printed")
    return quoted(text, what)


def number(text: str, what: str) -> Word:
    return Word(_matching(_NUMBER, text, what, "a number"))


def redirect_url(text: str, what: str) -> Word:
    """Quote a URL to send clients to; haproxy would read a format in it where a percent sign is not doubled."""
    return quoted(_matching(_URL, text, what, "a URL that begins with http:// or https://").replace("%", "%%"), what)


def cipher_names(text: str, what: str) -> tuple[str, ...]:
    names = _matching(_CIPHERS, text, what, "names of ciphers with colons between them").split(":")
    found = tuple(name for name in names if name)
    if not found:
        raise RenderError(f"{what}: {_shown(text)} names no cipher")
    return found


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


def plain(text: str) -> Word:
    """Give the text less whatever could mean something, to haproxy or to whoever reads its lines and names."""
    return Word(_NOT_PLAIN.sub("_", text))


def quoted(text: str, what: str) -> Word:
    """Put text in strong quotes, in which haproxy reads nothing but the closing one."""
    if len(text) > LONGEST:
        raise RenderError(f"{what}: {len(text)} characters are too long, {LONGEST} are possible")
    return _quoted(text)


def _quoted(text: str) -> Word:
    return Word("'" + text.replace("'", "'\\''") + "'")


def _matching(pattern: re.Pattern[str], text: str, what: str, right: str) -> str:
    if not pattern.fullmatch(text):
        raise RenderError(f"{what}: {_shown(text)} is not {right}")
    return text


def _shown(text: str) -> str:
    return repr(text[:80])
