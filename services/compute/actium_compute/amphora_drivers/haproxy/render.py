"""From the wish to the bundle: the model through the template. Pure."""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from actium_compute.amphora_drivers.bundle import Bundle, Flags, Logs, digest_of
from actium_compute.amphora_drivers.haproxy import checks, interfaces, keepalived, nftables, tls
from actium_compute.amphora_drivers.haproxy.datagrams import datagrams
from actium_compute.amphora_drivers.haproxy.model import Configuration
from actium_compute.amphora_drivers.haproxy.translate import translate
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SecretRef

STATS_SOCKET = "/run/amphora/haproxy.sock"
LOG_SOCKET = "/run/amphora/haproxy-log.sock"
STATE_FILE = "/run/amphora/haproxy.state"
TRAFFIC_LOG_SOCKET = "/run/amphora/traffic-log.sock"
TRAFFIC_LOG_BYTES = 4096
"""Of one line; haproxy keeps 1,024 of a request's first."""

EXPORTER_SOCKET = "/run/amphora/exporter.sock"
METRICS_SOCKET = "/run/amphora/metrics.sock"
"""The agent's; it reads haproxy's own figures at the one and tells them under the API's names at the other."""

NOTIFY_PIPE = "/run/amphora/keepalived.notify"
TRACK_FILE = "/run/amphora/haproxy.track"
"""How keepalived tells the agent of its role, and hears of haproxy's health."""

PEERS = "_appliance"
PINGS = "pings"
"""A file for the agent: whom to ping for which server."""

HARD_STOP_AFTER_S = 1800
"""
How long a worker that a reload replaced may serve its last connections. Without a bound one websocket keeps it for days, with
its memory, its retired certificates and its members of yesterday; much shorter, and each change would cut long downloads.
"""

MOST_RELOADS = 40
"""So many reloads a replaced worker survives: at 7 MB each, a quarter of a gigabyte under the quickest changes that we make."""

DESCRIPTORS = 40_000
"""haproxy derives its connection limit from this, or from the machine's own limit where that is lower: about half."""

_TEMPLATES = Environment(
    loader=PackageLoader(__package__),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - not HTML; what users wrote was made harmless in `words`
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(
    order: ConfigureAmphora,
    ports: Mapping[PortId, Port],
    secrets: Mapping[SecretRef, Secret],
    *,
    logs: Logs | None = None,
) -> Bundle:
    """
    Give the bundle of a wish.

    Raises:
        RenderError: it cannot be expressed.
    """
    configuration = translate(order, ports, logs)
    files = tls.files(order, secrets)
    if configuration.frontends:
        files["haproxy.cfg"] = haproxy_cfg(configuration)
    if vrrp := keepalived.vrrp(order, ports):
        files["keepalived.conf"] = keepalived_conf(vrrp)
    if told := pings(configuration):
        files[PINGS] = told
    udp = datagrams(order, interfaces.plumb(order, ports))
    if rules := nftables.rules(udp):
        files |= {"nftables.rules": rules, "checks.json": checks.checks(udp)}
    return Bundle(
        bundle=order.bundle,
        epoch=order.epoch,
        digest=digest_of(files, configuration.interfaces, logs),
        files=files,
        interfaces=configuration.interfaces,
        flags=Flags(give_way=order.yields, fence=order.fence),
        logs=logs,
    )


def haproxy_cfg(configuration: Configuration) -> bytes:
    text = _TEMPLATES.get_template("haproxy.cfg.j2").render(
        configuration=configuration,
        descriptors=DESCRIPTORS,
        stats_socket=STATS_SOCKET,
        log_socket=LOG_SOCKET,
        traffic_log_socket=TRAFFIC_LOG_SOCKET,
        traffic_log_bytes=TRAFFIC_LOG_BYTES,
        state_file=STATE_FILE,
        exporter_socket=EXPORTER_SOCKET,
        metrics_socket=METRICS_SOCKET,
        certificates=tls.PLACE,
        hard_stop_after_s=HARD_STOP_AFTER_S,
        most_reloads=MOST_RELOADS,
        peers_section=PEERS,
    )
    return text.encode()


def keepalived_conf(vrrp: keepalived.Vrrp) -> bytes:
    text = _TEMPLATES.get_template("keepalived.conf.j2").render(
        vrrp=vrrp, notify_pipe=NOTIFY_PIPE, track_file=TRACK_FILE
    )
    return text.encode()


def pings(configuration: Configuration) -> bytes:
    """Give a line for each server that is checked by pings: its name as haproxy will say it, address, interface."""
    lines = [
        f"{backend.name}/{server.name} {server.check_address or server.address} {server.interface or '-'}\n"
        for backend in configuration.backends
        for server in backend.servers
        if server.check and server.check.ping
    ]
    return "".join(lines).encode()
