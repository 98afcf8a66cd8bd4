"""
Which regular expressions amphorae can read: those of PCRE2, whose library nearly every Linux has.

Where it is not found, what only haproxy refuses shows itself later, as an error of the load balancer. Reading one is
as pure as Python's own reading of it: nothing is kept and nobody is asked.
"""

import ctypes
from functools import cache

MESSAGE_BYTES = 256


def why_not(expression: str) -> str | None:
    """Say why amphorae cannot read an expression; None where they can."""
    library, encoded = _library(), expression.encode()
    if library is None:
        return None
    code, offset = ctypes.c_int(), ctypes.c_size_t()
    compiled = library.pcre2_compile_8(encoded, len(encoded), 0, ctypes.byref(code), ctypes.byref(offset), None)
    if compiled:
        library.pcre2_code_free_8(compiled)
        return None
    message = ctypes.create_string_buffer(MESSAGE_BYTES)
    library.pcre2_get_error_message_8(code, message, MESSAGE_BYTES)
    return f"{message.value.decode()} at position {offset.value}"


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libpcre2-8.so.0")
    except OSError:
        return None
    number, pointer, size = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
    by_number, by_size = ctypes.POINTER(number), ctypes.POINTER(size)
    library.pcre2_compile_8.argtypes = (ctypes.c_char_p, size, ctypes.c_uint32, by_number, by_size, pointer)
    library.pcre2_compile_8.restype = pointer
    library.pcre2_code_free_8.argtypes = (pointer,)
    library.pcre2_code_free_8.restype = None
    library.pcre2_get_error_message_8.argtypes = (number, ctypes.c_char_p, size)
    return library
