"""Ids and names as sentences for people hold them. Pure."""

SHORT_ID_LENGTH = 8


def short(identifier: str) -> str:
    """Give the part of an id that people compare by."""
    return identifier[:SHORT_ID_LENGTH]


def named(name: str) -> str:
    return f'"{name}" ' if name else ""


def elsewhere(hosts: tuple[str, ...]) -> str:
    """Say which hosts something shall not come to."""
    return f", not on {', '.join(hosts)}" if hosts else ""
