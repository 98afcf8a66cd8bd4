"""Field types with upstream's coercions, and the base of all bodies. What a field's null means is said by its class."""

import ipaddress
import math
import re
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from actium_api.faults import Fault, invalid

TRUE = frozenset(("true", "t", "yes", "y", "on", "1"))
FALSE = frozenset(("false", "f", "no", "n", "off", "0"))
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_LABEL = r"(?!-)\w[A-Za-z0-9-]{0,62}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?", re.ASCII)
_CODES = re.compile(r"\d{3}( *, *\d{3})*|\d{3}-\d{3}", re.ASCII)
_URL_PATH = re.compile(r"/(?!/)[!-~]*", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)


def _to_flag(value: Any) -> bool:
    if isinstance(value, bool | int):
        return bool(value)
    if isinstance(value, str) and value in TRUE | FALSE:
        return value in TRUE
    raise ValueError("Value should be a boolean, or one of true, t, yes, y, on, 1, false, f, no, n, off, 0")


def to_whole(value: Any) -> int:
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise ValueError("Value should be an integer")


def _to_number(value: Any) -> float:
    try:
        if isinstance(value, bool | int | float | str):
            return float(value)
    except ValueError:
        pass
    raise ValueError("Value should be a number")


def _to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Value should be a string")  # noqa: TRY004
    if "\0" in value:
        raise ValueError("Value should hold no character U+0000")
    return value


def _to_uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(_to_text(value)))
    except ValueError:
        raise ValueError("Value should be UUID format") from None


def _address(value: Any) -> str:
    """Check it and leave it as the client wrote it."""
    text = _to_text(value)
    try:
        if "%" not in text:
            ipaddress.ip_address(text)
            return text
    except ValueError:
        pass
    raise ValueError("Value should be an IPv4 or IPv6 address")


def _to_cidr(value: Any) -> str:
    try:
        return str(ipaddress.ip_network(_to_text(value), strict=False))
    except ValueError:
        raise ValueError("Value should be an IPv4 or IPv6 range in CIDR notation") from None


def _matching(pattern: re.Pattern[str], wanted: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"Value should be {wanted}")
        return value

    return AfterValidator(check)


def _codes(value: str) -> str:
    first, dash, last = value.partition("-")
    if not _CODES.fullmatch(value) or (dash and last < first):
        raise ValueError("Value should be an HTTP status code, a comma list of them, or one range of them")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        if _URL.fullmatch(value) and parts.hostname and (parts.port is None or parts.port > 0):
            return value
    except ValueError:
        pass
    raise ValueError("Value should be a URL that begins with http:// or https:// and names a host")


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("Value should hold no characters that cannot be printed")
    return value


def _described(**words: object) -> WithJsonSchema:
    """Give what the API's description says of a text that has rules of its own."""
    return WithJsonSchema({"type": "string", **words})


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


Flag = Annotated[bool, BeforeValidator(_to_flag)]
WHOLE_MOST = 2**31 - 1
"""What every store, message and configuration on the way can hold; upstream's columns end there as well."""

Whole = Annotated[int, BeforeValidator(to_whole), Field(le=WHOLE_MOST)]
Number = Annotated[float, BeforeValidator(_to_number)]
Text = Annotated[str, BeforeValidator(_to_text), Field(max_length=255)]
LongText = Annotated[str, BeforeValidator(_to_text), Field(max_length=2048)]
ProjectName = Annotated[str, BeforeValidator(_to_text), Field(max_length=36)]
Uuid = Annotated[str, BeforeValidator(_to_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
Address = Annotated[str, BeforeValidator(_address), _described(anyOf=[{"format": "ipv4"}, {"format": "ipv6"}])]
Cidr = Annotated[str, BeforeValidator(_to_cidr), _described(description="A range of addresses such as 10.0.0.0/8")]
Cidrs = Annotated[tuple[Cidr, ...], AfterValidator(_unique)]
Tags = Annotated[tuple[Text, ...], AfterValidator(_unique)]
Uuids = Annotated[tuple[Uuid, ...], AfterValidator(_unique)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
TimeoutMs = Annotated[Whole, Field(ge=0, le=2_073_600_000)]
UrlPath = Annotated[
    Text,
    _matching(_URL_PATH, "a URL path that begins with one / and holds no blanks"),
    _described(pattern=r"^/([!-.0-~][!-~]{0,253})?$"),
]
Codes = Annotated[Text, AfterValidator(_codes), _described(pattern=r"^(\d{3}( *, *\d{3}){0,40}|\d{3}-\d{3})$")]
HostName = Annotated[Text, _matching(_HOST, "a host name"), _described(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,252}$")]
HttpUrl = Annotated[Text, AfterValidator(_url), _described(pattern=r"^https?://[!-~]{1,247}$")]
Line = Annotated[Text, AfterValidator(_line), _described(maxLength=255, description="Printable characters")]


class Body(BaseModel):
    """
    A body, or an object in one.

    `NULL_MEANS` says what null stands for; for a field that is not there null is what the field's type says. With
    `NULL_IS_ABSENT` every other null is as good as not sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    NULL_MEANS: ClassVar[Mapping[str, object]] = {}
    NULL_IS_ABSENT: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _nulls(cls, sent: Any) -> Any:
        if not isinstance(sent, dict):
            raise ValueError("Value should be an object")  # noqa: TRY004
        meant = {name: cls.NULL_MEANS.get(name) if value is None else value for name, value in sent.items()}
        if cls.NULL_IS_ABSENT:
            return {name: value for name, value in meant.items() if value is not None or name not in cls.model_fields}
        return meant


class Create(Body):
    """A body that makes something: nulls are as good as not sent."""

    NULL_MEANS: ClassVar[Mapping[str, object]] = {"admin_state_up": False}
    NULL_IS_ABSENT: ClassVar[bool] = True


T = TypeVar("T", bound="Body")


def parse(schema: type[T], wrapper: str, sent: object, *, inside: str = "") -> T:
    """
    Give the body as its class; `inside` says where in the wrapper it stands, if not right there.

    Raises:
        Fault: the first thing that is wrong, by name.
    """
    try:
        return schema.model_validate(sent)
    except ValidationError as exc:
        raise _fault(wrapper, inside, exc) from exc


def _fault(wrapper: str, inside: str, exc: ValidationError) -> Fault:
    error = exc.errors(include_url=False)[0]
    place = [inside, *error["loc"]] if inside else [*error["loc"]]
    if error["type"] == "extra_forbidden":
        return Fault(400, f"Unknown attribute for argument {_path([wrapper, *place[:-1]])}: {place[-1]}")
    if error["type"] == "missing":
        return invalid(_path(place), None, "Mandatory field missing.")
    return invalid(_path(place) or wrapper, error["input"], _why(error) + ".")


def _why(error: ErrorDetails) -> str:
    """Say what would be right, in the words of those who send JSON."""
    counted = "characters" if isinstance(error["input"], str) else "items"
    match error["type"]:
        case "tuple_type" | "list_type":
            return "Value should be a list"
        case "dict_type" | "mapping_type":
            return "Value should be an object"
        case "too_long":
            return f"Value should have at most {error['ctx']['max_length']} {counted}"
        case "too_short":
            return f"Value should have at least {error['ctx']['min_length']} {counted}"
        case _:
            return error["msg"].removeprefix("Value error, ")


def _path(place: list[str | int]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def changes(body: Body, names: Mapping[str, str], convert: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the fields that were sent, by the names that wishes use."""
    made = convert or {}
    return {
        names.get(name, name): made[name](getattr(body, name)) if name in made else getattr(body, name)
        for name in body.model_fields_set
    }
