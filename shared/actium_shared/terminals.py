"""What all our command lines do alike: show strangers' text without harm, say who types, end quietly when nobody reads on."""

import getpass
import os
import select
import sys


def clean(text: str) -> str:
    """Make what others wrote harmless to a terminal: no control characters."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def clean_lines(text: str) -> str:
    """Make it harmless line by line."""
    return "\n".join(clean(line) for line in text.split("\n"))


def own_name() -> str:
    """Give the name by which the log shall know who did it; behind sudo stands a person."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user whom the host does not know
        name = ""
    return name if name and name.isascii() and name.isprintable() else f"uid-{os.getuid()}"


def let_go_of_output() -> None:
    """Have what is written from now on go nowhere: Python flushes once more at its end, and would complain then."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def is_read() -> bool:
    """Say whether the other end of standard output is still there: a terminal may be closed, a reader gone."""
    return not _other_end().poll(0)


def end_with_reader() -> None:
    """End the process when nobody can read it any more: a follower may have nothing to write for hours to learn it by."""
    _other_end().poll()
    os._exit(0)


def _other_end() -> "select.poll":
    other_end = select.poll()
    other_end.register(sys.stdout, 0)  # that it is gone is told unasked
    return other_end
