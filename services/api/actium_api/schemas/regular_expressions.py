"""Which texts are regular expressions: those that Python reads, as upstream. Whether it can use them, a driver says."""

import re
import warnings


def why_not(expression: str) -> str | None:
    """Say why an expression is none; None where it is one."""
    if not expression:
        return "it is empty"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(expression)
    except (re.error, OverflowError, RecursionError) as exc:
        return str(exc)
    return None
