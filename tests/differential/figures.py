"""
Says what upstream's amphora tells of haproxy's figures at a PROMETHEUS listener; run by the Python of its environment.

Reads what haproxy exposes, writes what upstream makes of it.
"""

import io
import sys
import tempfile
from typing import Any

from octavia.cmd import prometheus_proxy


class Answer(prometheus_proxy.PrometheusProxy):  # type: ignore[misc]
    """Upstream's answer to a request, without a connection to write it to."""

    def __init__(self) -> None:
        self.wfile = io.BytesIO()

    def send_response(self, *words: Any) -> None:
        assert words == (200,), words

    def send_header(self, *_: Any) -> None:
        """It has nowhere to go."""

    def end_headers(self) -> None:
        """Nor has this."""


def main() -> None:
    with tempfile.NamedTemporaryFile() as exposed:
        exposed.write(sys.stdin.buffer.read())
        exposed.flush()
        prometheus_proxy.METRICS_URL = f"file://{exposed.name}"
        answer = Answer()
        answer.do_GET()
    sys.stdout.buffer.write(answer.wfile.getvalue())


main()
