"""Stand-ins for the services, run as processes: each does what the world sees of its model, and nothing else."""

import json
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def network(fabric_file: str) -> None:
    """Make the fabric as the network service does; all of it again after a kill -9 half-way."""
    fabric = tomllib.loads(Path(fabric_file).read_text())
    namespace, router, link = (fabric["fabric"][key] for key in ("namespace", "router", "host_link"))
    for name in (namespace, router):
        _try("ip", "netns", "add", name)
        _try("ip", "-n", name, "link", "set", "lo", "up")
    _try("ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    for number, wanted in enumerate(fabric["networks"]):
        prefix = wanted["cidr"].partition("/")[2]
        _try("ip", "-n", namespace, "link", "add", f"br-{wanted['name']}", "type", "bridge")
        _try("ip", "-n", namespace, "link", "set", f"br-{wanted['name']}", "up")
        if wanted.get("routed"):
            _cable(namespace, f"rt{number}", router, f"leg{number}", bridge=f"br-{wanted['name']}")
            _try("ip", "-n", router, "address", "add", f"{wanted['gateway']}/{prefix}", "dev", f"leg{number}")
        if "host" in wanted:
            _try("ip", "-n", namespace, "link", "add", "to-host", "type", "veth", "peer", "name", link, "netns", "1")
            _try("ip", "-n", namespace, "link", "set", "to-host", "master", f"br-{wanted['name']}", "up")
            _try("ip", "address", "add", f"{wanted['host']}/{prefix}", "dev", link)
            _try("ip", "link", "set", link, "up")
    threading.Event().wait()


def _cable(namespace: str, outside: str, machine: str, inside: str, *, bridge: str) -> None:
    _try("ip", "-n", namespace, "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", machine)
    _try("ip", "-n", namespace, "link", "set", outside, "master", bridge, "up")
    _try("ip", "-n", machine, "link", "set", inside, "up")


def _try(*command: str) -> None:
    """What is there already is refused by `ip`, and that is well."""
    subprocess.run(command, check=False, stderr=subprocess.DEVNULL)


def api(port: str, *names: str) -> None:
    """Say that these services are healthy."""
    services = [{"name": name, "healthy": True, "detail": "", "lag": {"EVENTS_PLANNER": 0}} for name in names]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"services": services}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) as server:
        server.serve_forever()


def idle() -> None:
    threading.Event().wait()


def failing() -> None:
    sys.exit("this one never works")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
