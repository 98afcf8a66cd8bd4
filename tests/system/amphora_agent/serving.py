"""An amphora that serves two back ends, by bundle 1; and looks into it from the host."""

import socket
import subprocess
from pathlib import Path

from system.amphora_agent.bundles import bundle, card, haproxy, server
from system.amphora_agent.sandbox import Backend, Sandbox
from system.namespaces import eventually

ONE, TWO = "203.0.113.1", "203.0.113.2"
HAPROXY, AGENT = "/run/amphora/haproxy.cfg", "-m actium_amphora_agent"


class World:
    """A sandbox that serves two back ends, by bundle 1."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.controller = sandbox, sandbox.controller
        subprocess.run(["ip", "-n", sandbox.fabric, "addr", "add", f"{TWO}/24", "dev", "public"], check=True)
        self.one = Backend(sandbox.fabric, "one", ONE, 8000)
        self.two = Backend(sandbox.fabric, "two", TWO, 8000)
        self.card = card(sandbox.plug("public"))
        self.config = haproxy(server("m1", ONE), server("m2", TWO))
        self.first = bundle(1, self.config, [self.card])
        answer = self.controller.put(self.first)
        assert (answer.status, answer.body["result"]) == (200, "reload"), answer
        eventually(sandbox.get)

    def close(self) -> None:
        self.one.stop()
        self.two.stop()


def amphora_root(sandbox: Sandbox) -> Path:
    """The amphora's /run/amphora, seen from the host."""
    return Path(f"/proc/{sandbox.init}/root/run/amphora")


def ask_haproxy(sandbox: Sandbox, command: str) -> None:
    assert show(sandbox, command).strip() == ""


def show(sandbox: Sandbox, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(amphora_root(sandbox) / "haproxy.sock"))
        asking.sendall(command.encode() + b"\n")
        asking.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: asking.recv(65_536), b"")).decode(errors="replace")


def in_amphora(sandbox: Sandbox, name: str) -> bytes:
    # Absolute links would lead out of the amphora; these are relative.
    return (amphora_root(sandbox) / name).read_bytes()


def links(namespace: str) -> str:
    return subprocess.run(["ip", "-n", namespace, "-br", "link"], check=True, capture_output=True, text=True).stdout
