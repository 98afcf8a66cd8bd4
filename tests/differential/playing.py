"""Plays stories to one side and writes down what it answers, in a shape in which two sides can be compared."""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from differential.story import PROJECT, PROVIDER, Json, Request, Settle, Story

TOKEN = re.compile(r"<[a-z0-9_]+-\d+>")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
REQUEST_ID = re.compile(f"req-{UUID.pattern}")
TEXTS = frozenset(("faultstring", "description", "title"))
"""Words for people, in the bodies of refusals. They are free."""

ADDRESSES = frozenset(("vip_address", "ip_address"))
CHOSEN = ("203.0.113.", "2001:db8:")
"""Addresses that stories ask for; any other was made up by the side that shows it."""

ADMINISTRATOR = {"x-roles": "admin", "x-project-id": PROJECT, "x-user-id": "somebody"}


class Side(Protocol):
    """One of the two."""

    client: httpx.AsyncClient
    provider: str
    """What it calls the provider that it takes by itself."""

    async def settle(self) -> None:
        """Return when nothing is pending any more."""
        ...

    async def undo(self, path: str) -> None:
        """Take away what the last request made, which is at that path."""
        ...

    async def wipe(self) -> None:
        """Leave nothing of what stories made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One reply, without what cannot be equal."""

    status: int
    headers: Mapping[str, str]
    body: Json


@dataclass
class Player:
    """Plays one story after another."""

    side: Side
    _ids: dict[str, str] = field(default_factory=dict)
    """By token."""

    _is_settled: bool = True

    async def play(self, stories: Iterable[Story]) -> dict[str, dict[str, Answer]]:
        """Give every story's answers by their requests' names."""
        return {story.name: await self._story(story) for story in stories}

    async def _story(self, story: Story) -> dict[str, Answer]:
        self._ids.clear()
        await self._settle()
        await self.side.wipe()
        answers: dict[str, Answer] = {}
        for step in story.steps:
            match step:
                case Settle():
                    await self._settle()
                case Request():
                    response = await self._send(step)
                    if step.is_told:
                        answers[step.name] = self._answer(response)
                    await self._undo(step, response)
        return answers

    async def _send(self, step: Request) -> httpx.Response:
        content = step.content
        headers = ADMINISTRATOR | {"accept": "application/json"} | dict(step.headers)
        if content is None and step.body is not None:
            content = json.dumps(self._settled(step.body)).encode()
        if step.undone_at is not None:
            headers["x-undo"] = "yes"
        if content is not None:
            headers = {"content-type": "application/json"} | headers
        path = self._settled(step.path)
        response = await self.side.client.request(step.method, path, content=content, headers=headers)
        self._is_settled &= step.method == "GET" or not response.is_success
        for where, token in step.keeps.items():
            self._keep(token, response, where)
        return response

    def _keep(self, token: str, response: httpx.Response, where: str) -> None:
        """Remember an id; what was not made has one that nothing has."""
        found: Any = response.json() if response.is_success else None
        for part in where.split("."):
            try:
                found = found[int(part) if part.isdigit() else part]
            except (KeyError, IndexError, TypeError):
                found = None
        self._ids[token] = found if isinstance(found, str) else str(uuid.uuid5(uuid.NAMESPACE_OID, token))

    async def _undo(self, step: Request, response: httpx.Response) -> None:
        if step.undone_at is not None and response.is_success:
            await self.side.undo(self._settled(step.undone_at))
            self._is_settled = True

    async def _settle(self) -> None:
        """Whatever was refused needs none."""
        if not self._is_settled:
            await self.side.settle()
            self._is_settled = True

    def _settled(self, value: Json) -> Any:
        """Give a value with this side's ids for tokens."""
        match value:
            case str() if value == PROVIDER:
                return self.side.provider
            case str():
                return TOKEN.sub(lambda found: self._ids[found[0]], value)
            case list():
                return [self._settled(each) for each in value]
            case dict():
                return {self._settled(name): self._settled(each) for name, each in value.items()}
            case _:
                return value

    def _answer(self, response: httpx.Response) -> Answer:
        headers = {}
        if response.content:
            headers["content-type"] = response.headers.get("content-type", "none").partition(";")[0]
        if not REQUEST_ID.fullmatch(response.headers.get("x-openstack-request-id", "")):
            headers["x-openstack-request-id"] = "none"
        return Answer(status=response.status_code, headers=headers, body=self._body(response))

    def _body(self, response: httpx.Response) -> Json:
        if not response.content:
            return "<empty>"
        try:
            found = response.json()
        except ValueError:
            return "<not JSON>"
        known = {own: token for token, own in self._ids.items()}
        return Plain(known, str(self.side.client.base_url).rstrip("/"), self.side.provider).value(
            found, is_refusal=response.is_error
        )


@dataclass(frozen=True, slots=True)
class Plain:
    """Takes out of a reply what differs from one playing to the next."""

    tokens: Mapping[str, str]
    root: str
    provider: str

    def value(self, found: Json, *, key: str = "", depth: int = 0, is_refusal: bool = False) -> Json:
        if is_refusal and key in TEXTS:
            return "<text>"
        match found:
            case dict():
                return {
                    name: self.value(each, key=name, depth=depth + 1, is_refusal=is_refusal)
                    for name, each in found.items()
                }
            case list():
                values = [self.value(each, depth=depth + 1, is_refusal=is_refusal) for each in found]
                # Only collections and pages are in an order that is promised.
                return values if depth < 2 else sorted(values, key=_in_order)
            case str():
                return self.text(found, key)
            case _:
                return found

    def text(self, found: str, key: str) -> str:
        if TIME.fullmatch(found):
            return "<time>"
        if key in ADDRESSES and not found.startswith(CHOSEN):
            return "<address>"
        if key == "provider" and found == self.provider:
            return PROVIDER
        for own, token in self.tokens.items():
            found = found.replace(own, token)
        return UUID.sub(lambda id_: id_[0] if _is_given(id_[0]) else "<uuid>", found.replace(self.root, "<root>"))


def _in_order(value: Json) -> tuple[str, str]:
    """By what stories name, first: the rest may be what differs."""
    named = [str(value.get(name)) for name in ("name", "protocol_port", "position")] if isinstance(value, dict) else []
    return " ".join(named), json.dumps(value, sort_keys=True)


def _is_given(found: str) -> bool:
    """Whether stories name it: theirs are easily told from those that a side made up."""
    return found[9:23] == "0000-4000-8000"
