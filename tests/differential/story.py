"""
What is asked of both sides: stories of requests, as plain data.

A request names what an earlier one made by a token such as `<listener-2>`; each side puts its own id in its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
LBAAS = "/v2.0/lbaas"
SUBNET = "11111111-0000-4000-8000-000000000001"
IPV6_SUBNET = "11111111-0000-4000-8000-000000000006"
OTHER_SUBNET = "11111111-0000-4000-8000-000000000002"
NETWORK = "22222222-0000-4000-8000-000000000001"
PORT = "33333333-0000-4000-8000-000000000001"
GROUP = "44444444-0000-4000-8000-000000000001"
QOS_POLICY = "55555555-0000-4000-8000-000000000001"
NOTHING = "99999999-0000-4000-8000-000000000009"
PROJECT = "a-project"
PROVIDER = "<provider>"
"""Whichever a side takes by itself."""

POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
MONITOR = {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2}
MEMBER = {"address": "192.0.2.10", "protocol_port": 80}
RULE = {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `keeps` says under which token an id of its reply is known later, by where it stands there."""

    name: str
    method: str
    path: str
    body: Json = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    keeps: Mapping[str, str] = field(default_factory=dict)
    undone_at: str | None = None
    """The path to delete the token's object at if it was made: the story goes on as if it had not been tried."""

    is_told: bool = True
    """Whether its reply is compared; else it only sets the stage."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Whatever has been asked for is done now, on both sides."""


Step = Request | Settle


class Story:
    """
    Grows by its methods, request after request.

    Whatever was asked for is done before the next request, but where the story is `busy`: there it says `settle` itself.
    """

    def __init__(self, name: str, *, busy: bool = False) -> None:
        self.name = name
        self.steps: list[Step] = []
        self._is_busy = busy
        self._told = 0
        self._tokens: dict[str, int] = {}

    def token(self, kind: str) -> str:
        self._tokens[kind] = self._tokens.get(kind, 0) + 1
        return f"<{kind}-{self._tokens[kind]}>"

    def settle(self) -> None:
        self.steps.append(Settle())

    def ask(self, method: str, path: str, body: Json = None, *, name: str = "", **more: Any) -> None:
        """Send any request; a path that does not begin with a slash is one of lbaas."""
        self._told += more.get("is_told", True)
        full = path if path.startswith("/") else f"{LBAAS}/{path}"
        label = name or f"{method} {path}"
        self.steps.append(Request(name=f"{self._told:03} {label}", method=method, path=full, body=body, **more))
        if method != "GET" and not self._is_busy:
            self.settle()

    def get(self, path: str, **more: Any) -> None:
        self.ask("GET", path, **more)

    def delete(self, path: str, **more: Any) -> None:
        self.ask("DELETE", path, **more)

    def put(self, path: str, key: str, fields: Json, **more: Any) -> None:
        self.ask("PUT", path, {key: fields}, **more)

    def post(self, path: str, key: str, fields: Json, *, known_by: str = "id", **more: Any) -> str:
        """Create something and give its token."""
        token = self.token(key)
        self.ask("POST", path, {key: fields}, keeps={f"{key}.{known_by}": token}, **more)
        return token

    def attempt(self, path: str, key: str, fields: Json, *, known_by: str = "id", **more: Any) -> None:
        """Try to create something, and take it away again where it succeeds."""
        token = self.token(key)
        suffix = "?cascade=true" if key == "loadbalancer" else ""
        self.ask(
            "POST",
            path,
            {key: fields},
            keeps={f"{key}.{known_by}": token},
            undone_at=f"{LBAAS}/{path}/{token}{suffix}",
            **more,
        )

    def load_balancer(self, *, is_told: bool = False, **fields: Json) -> str:
        wish = {"vip_subnet_id": SUBNET, "project_id": PROJECT, **fields}
        return self.post("loadbalancers", "loadbalancer", wish, is_told=is_told)

    def listener(self, lb: str, *, is_told: bool = False, **fields: Json) -> str:
        wish = {"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 80, **fields}
        return self.post("listeners", "listener", wish, is_told=is_told)

    def pool(self, lb: str, *, is_told: bool = False, **fields: Json) -> str:
        return self.post("pools", "pool", {"loadbalancer_id": lb, **POOL, **fields}, is_told=is_told)

    def member(self, pool: str, *, is_told: bool = False, **fields: Json) -> str:
        return self.post(f"pools/{pool}/members", "member", {**MEMBER, **fields}, is_told=is_told)

    def monitor(self, pool: str, *, is_told: bool = False, **fields: Json) -> str:
        return self.post("healthmonitors", "healthmonitor", {"pool_id": pool, **MONITOR, **fields}, is_told=is_told)

    def policy(self, listener: str, *, is_told: bool = False, **fields: Json) -> str:
        wish = {"listener_id": listener, "action": "REJECT", **fields}
        return self.post("l7policies", "l7policy", wish, is_told=is_told)

    def rule(self, policy: str, *, is_told: bool = False, **fields: Json) -> str:
        return self.post(f"l7policies/{policy}/rules", "rule", {**RULE, **fields}, is_told=is_told)
