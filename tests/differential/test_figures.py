"""A PROMETHEUS listener's figures: from the same haproxy, the same names, labels, kinds and values as upstream's."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actium_amphora_agent.metrics import machine, translated
from differential import upstream

HERE = Path(__file__).parent
TIMEOUT_S = 60
STARTS_WITHIN_S = 10.0
CONFIGURATION = """
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend exporter
    bind unix@{socket}
    http-request use-service prometheus-exporter
frontend 7c2f63ac-0001
    bind unix@{folder}/listener
    default_backend 6e0ff2e7-0001:7c2f63ac-0001
backend 6e0ff2e7-0001:7c2f63ac-0001
    server 1b0c-member 127.0.0.1:9 check disabled
    server 2b0c-member 127.0.0.1:9 backup weight 5
"""


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What a haproxy with a listener, a pool and two members exposes."""
    folder = tmp_path_factory.mktemp("figures")
    exporter, configuration = folder / "exporter", folder / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.format(folder=folder, socket=exporter))
    with (folder / "said").open("wb") as said:
        haproxy = subprocess.Popen(("haproxy", "-db", "-f", str(configuration)), stdout=said, stderr=said)
    try:
        yield _asked(exporter, haproxy)
    finally:
        haproxy.kill()
        haproxy.wait(10)


def _asked(exporter: Path, haproxy: "subprocess.Popen[bytes]") -> str:
    deadline, answer = time.monotonic() + STARTS_WITHIN_S, b""
    while not exporter.exists():
        assert haproxy.poll() is None
        assert time.monotonic() < deadline, f"haproxy did not start within {STARTS_WITHIN_S} s"
        time.sleep(0.02)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(exporter))
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.decode().partition("\r\n\r\n")
    assert " 200 " in head.splitlines()[0]
    return "".join(line for line in body.splitlines(keepends=True) if 'proxy="exporter"' not in line)


@pytest.fixture(scope="module")
def theirs(exposed: str) -> list[str]:
    return upstream.told("figures.py", exposed, timeout_s=TIMEOUT_S).splitlines()


def told(lines: list[str]) -> list[str]:
    """Give kinds and figures: what is said in words is free, and the machine's own two are never the same twice."""
    own = ("octavia_loadbalancer_cpu ", "octavia_loadbalancer_memory ")
    return sorted(line for line in lines if not line.startswith(("# HELP", *own)))


def test_figures_have_upstreams_names_labels_kinds_and_values(exposed: str, theirs: list[str]) -> None:
    ours = told((machine() + translated(exposed)).splitlines())
    assert ours == told(theirs)
    for kind in ("memory", "loadbalancer", "listener", "pool", "member"):
        assert any(line.startswith(f"octavia_{kind}_") for line in ours), kind


def test_the_machines_own_figures_have_upstreams_names(theirs: list[str]) -> None:
    ours = {line.split()[0] for line in machine().splitlines() if not line.startswith("#")}
    upstreams = {line.split()[0] for line in theirs if not line.startswith("#")}
    assert ours == {"octavia_loadbalancer_cpu", "octavia_loadbalancer_memory"}
    assert ours <= upstreams


def test_each_figure_is_explained_once_under_its_name(exposed: str) -> None:
    lines = translated(exposed).splitlines()
    for word in ("HELP", "TYPE"):
        names = [line.split()[2] for line in lines if line.startswith(f"# {word} ")]
        assert len(names) == len(set(names))
        assert {line.partition("{")[0].split()[0] for line in lines if not line.startswith("#")} == set(names)
