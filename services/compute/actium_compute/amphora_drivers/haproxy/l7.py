"""
L7 policies and rules in haproxy's terms. Pure.

A policy that matches is noted by its number and acted on later, because haproxy itself would answer all redirects before
it chooses any backend: so the first in order wins, whatever it does.
"""

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import words
from actium_compute.amphora_drivers.haproxy.model import Policy, Rule
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.wishes import L7Policy, L7PolicyWish, L7Rule

COMPARISONS = {"EQUAL_TO": "str", "STARTS_WITH": "beg", "ENDS_WITH": "end", "CONTAINS": "sub", "REGEX": "reg"}
REDIRECT_CODES = frozenset((301, 302, 303, 307, 308))
DEFAULT_REDIRECT_CODE = 302

HOST = (Word("req.hdr(host)"), Word("req.hdr(host),host_only"))
"""With the port that a client may have put there, and without."""

EXTENSION = Word("path,field(-1,/),regsub(^[^.]*$,),field(-1,.)")
"""What follows the last dot of the last part; nothing where that has none."""


def policy(number: int, wish: L7PolicyWish, backend: Word | None) -> Policy:
    """
    Say one policy.

    Raises:
        RenderError: it cannot be said.
    """
    action, target, code = _action(wish.policy, backend)
    return Policy(number=number, rules=tuple(_rule(one) for one in wish.rules), action=action, target=target, code=code)


def _action(wish: L7Policy, backend: Word | None) -> tuple[str, Word | None, int | None]:
    what = f"l7policy {wish.id}"
    match wish.action:
        case "REJECT":
            return "deny", None, None
        case "REDIRECT_TO_POOL":
            return "backend", backend, None
        case "REDIRECT_TO_URL":
            return "location", words.redirect_url(wish.redirect_url or "", f"{what}: redirect_url"), _code(wish, what)
        case "REDIRECT_PREFIX":
            prefix = words.redirect_url(wish.redirect_prefix or "", f"{what}: redirect_prefix")
            return "prefix", prefix, _code(wish, what)
        case _:
            raise RenderError(f"{what}: action: {wish.action[:80]!r} is not supported")


def _code(wish: L7Policy, what: str) -> int:
    code = wish.redirect_http_code or DEFAULT_REDIRECT_CODE
    if code not in REDIRECT_CODES:
        raise RenderError(f"{what}: redirect_http_code: {code} is no code of a redirect")
    return code


def _rule(wish: L7Rule) -> Rule:
    what = f"l7rule {wish.id}"
    samples, flags, value = _comparison(wish, what)
    return Rule(
        name=Word(f"rule:{words.identifier(wish.id, what)}"),
        samples=samples,
        flags=Word(flags),
        value=value,
        invert=wish.invert,
    )


def _comparison(wish: L7Rule, what: str) -> tuple[tuple[Word, ...], str, Word | None]:
    how = words.one_of(wish.compare_type, COMPARISONS, f"{what}: compare_type")
    match wish.type:
        case "HOST_NAME":
            return HOST, f"-i -m {how}", _value(wish, what)
        case "PATH":
            return (Word("path"),), f"-m {how}", _value(wish, what)
        case "FILE_TYPE":
            return _file_type(wish, what)
        case "HEADER":
            name = words.header_name(wish.key or "", f"{what}: key")
            # Both the whole line and each of its values: a date has a comma, and a list has many.
            return (words.sample("req.fhdr", name), words.sample("req.hdr", name)), f"-m {how}", _value(wish, what)
        case "COOKIE":
            name = words.header_name(wish.key or "", f"{what}: key")
            return (words.sample("req.cook", name),), f"-m {how}", _value(wish, what)
        case _:
            return _about_the_client(wish, how, what)


def _about_the_client(wish: L7Rule, how: str, what: str) -> tuple[tuple[Word, ...], str, Word | None]:
    match wish.type:
        case "SSL_CONN_HAS_CERT":
            return (Word("ssl_c_used"),), "", None
        case "SSL_VERIFY_RESULT":
            return (Word("ssl_c_verify"),), "-m int", words.number(wish.value, f"{what}: value")
        case "SSL_DN_FIELD":
            field = words.dn_field(wish.key or "", f"{what}: key")
            return (words.sample("ssl_c_s_dn", field),), f"-m {how}", _value(wish, what)
        case _:
            raise RenderError(f"{what}: type: {wish.type[:80]!r} is not supported")


def _file_type(wish: L7Rule, what: str) -> tuple[tuple[Word, ...], str, Word | None]:
    if wish.compare_type == "REGEX":
        return (EXTENSION,), "-m reg", _value(wish, what)
    ending = "." + _text(wish).removeprefix(".")  # as an ending, so that tar.gz can be one
    return (Word("path"),), "-m end", words.text_value(ending, f"{what}: value")


def _value(wish: L7Rule, what: str) -> Word:
    return words.text_value(_text(wish), f"{what}: value")


def _text(wish: L7Rule) -> str:
    # The API asks for double quotes around a value with blanks; they are not part of it.
    value = wish.value
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"' and wish.compare_type != "REGEX"
    return value[1:-1] if is_quoted else value
