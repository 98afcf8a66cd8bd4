"""What haproxy writes of each request or connection, for those load balancers whose logs are wanted. Pure."""

import re

from actium_compute.amphora_drivers.bundle import Logs
from actium_compute.amphora_drivers.haproxy import words
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.wishes import LoadBalancer

NOTHING = "-"
"""What stands for what there is not, as in haproxy's own lines."""

_WORD = re.compile(r"\{\{\s*(project_id|lb_id)\s*\}\}")
_HTTP_ALONE = re.compile(
    r"%%|%(?:\{[^}]*\})?(?P<name>HPO|HM|HP|HQ|HU|HV|CC|CS|ST|Ta|Ti|Tq|Tr|TR|trg|trl|tr|r)(?![A-Za-z0-9_])"
)
"""haproxy refuses a file that asks these of a connection that it does not read."""


def log_format(balancer: LoadBalancer, mode: Word, logs: Logs | None) -> Word | None:
    """Give the line, which begins with whose it is: that word is the agent's, and is not shipped."""
    if logs is None or balancer.id not in logs.streams:
        return None
    values = {"project_id": balancer.project_id, "lb_id": balancer.id}
    told = _WORD.sub(lambda found: words.plain(values[found[1]]), logs.format)
    if mode != "http":
        told = _HTTP_ALONE.sub(lambda found: NOTHING if found["name"] else found[0], told)
    what = f"load balancer {balancer.id}"
    return words.quoted(f"{words.identifier(balancer.id, what)} {told}", what)
