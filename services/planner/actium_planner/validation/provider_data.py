"""
Profiles' data: JSON text for a provider, read, and checked against what our provider understands.

Other vendors' drivers are asked by the API before it comes here.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from actium_planner.validation.refusals import invalid, unsupported
from actium_shared.message import Rejected
from actium_shared.provider_options import FLAVOR_OPTIONS, PROVIDERS, ZONE_OPTIONS, Option, is_ours

Data = Mapping[str, Any]


def of_flavor(provider: str, text: str, *, providers: Collection[str] = PROVIDERS) -> Data | Rejected:
    """Give a flavor profile's data by key, or why it cannot be used; `providers` are those that are enabled."""
    return _read("flavor_data", text, provider, FLAVOR_OPTIONS, providers)


def of_zone(provider: str, text: str, *, providers: Collection[str] = PROVIDERS) -> Data | Rejected:
    """Give a zone profile's data by key, or why it cannot be used; `providers` are those that are enabled."""
    return _read("availability_zone_data", text, provider, ZONE_OPTIONS, providers)


def _read(
    field: str, text: str, provider: str, options: Mapping[str, Option], providers: Collection[str]
) -> Data | Rejected:
    if provider not in providers:
        detail = f"Provider '{provider}' is not enabled: provider_name must be one of {', '.join(providers)}."
        return invalid(detail, field="provider_name")
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        return invalid(f"Invalid input for field/attribute {field}. It must be JSON in a string: {exc}.", field=field)
    if not isinstance(data, dict):
        return invalid(f"Invalid input for field/attribute {field}. It must be a JSON object in a string.", field=field)
    for key, value in data.items():
        wrong = _wrong(key, value, options) if is_ours(provider) else _unheard_of(key, value)
        if wrong is not None:
            detail = f"Provider '{provider}' does not support a requested option: {field}: {wrong}."
            return unsupported(detail, field=field)
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def _unheard_of(key: str, value: object) -> str | None:
    """What a key of another vendor's means, its driver knows; the value has to fit into our messages."""
    texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return None if texts or isinstance(value, str | int) else f"'{key}' must be a text, a whole number, true or false"


def _wrong(key: str, value: object, options: Mapping[str, Option]) -> str | None:
    option = options.get(key)
    if option is None:
        return f"'{key}' is not known; known are {', '.join(options)}"
    match option.kind:
        case "flag":
            return None if isinstance(value, bool) else f"'{key}' must be true or false"
        case "texts":
            texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
            return None if texts else f"'{key}' must be a list of strings"
        case "number":
            within = isinstance(value, int) and not isinstance(value, bool) and option.least <= value <= option.most
            return None if within else f"'{key}' must be a whole number from {option.least} to {option.most}"
        case "text":
            if not isinstance(value, str):
                return f"'{key}' must be a string"
            if option.choices and value not in option.choices:
                return f"'{key}' must be one of {', '.join(option.choices)}, and is '{value}'"
            return None
