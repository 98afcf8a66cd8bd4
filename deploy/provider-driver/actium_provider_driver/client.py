"""Actium's API over HTTP: commands with an id of their own, so that one whose outcome is unknown can be posted again."""

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from keystoneauth1 import adapter, exceptions

log = logging.getLogger(__name__)

Document = dict[str, Any]

TRIES_MOST = 4
PAUSE_S = 0.5
UNKNOWN_OUTCOME = 503
LISTS = "/v2/lbaas"


class RefusedError(Exception):
    """Actium has refused, or could not be asked (`status` 0 or 5xx); the text says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Client:
    def __init__(self, http: adapter.Adapter) -> None:
        self._http = http

    def command(self, kind: str, body: Mapping[str, object]) -> Document:
        """
        Have a command carried out; give what was answered.

        Raises:
            RefusedError: it was not.
        """
        sent = {"id": str(uuid.uuid4()), "type": kind, "body": body}
        for attempt in range(1, TRIES_MOST + 1):
            try:
                return self._request("POST", "/v1/commands", json=sent)
            except RefusedError as exc:
                if exc.status not in (0, UNKNOWN_OUTCOME) or attempt == TRIES_MOST:
                    raise
                log.warning("%s is posted again: %s", kind, exc)
                time.sleep(PAUSE_S)
        raise AssertionError("unreachable")

    def get(self, path: str) -> Document:
        """
        Give a document.

        Raises:
            RefusedError: it is not there (404), or cannot be had.
        """
        return self._request("GET", path)

    def found(self, path: str) -> Document | None:
        """Give a document, or None where there is none."""
        try:
            return self.get(path)
        except RefusedError as exc:
            if exc.status != 404:
                raise
            return None

    def each(self, path: str, key: str) -> Iterator[Document]:
        """Give all of a list, page by page."""
        next_page: str | None = f"{LISTS}{path}"
        while next_page is not None:
            page = self.get(next_page)
            yield from page[key]
            links = {link["rel"]: link["href"] for link in page.get(f"{key}_links", ())}
            further = links.get("next")
            next_page = None if further is None else LISTS + further[further.index(path) :]

    def _request(self, method: str, path: str, **more: Any) -> Document:
        try:
            response = self._http.request(path, method, **more)
        except exceptions.ClientException as exc:
            raise RefusedError(0, f"Actium cannot be asked: {exc}") from exc
        try:
            document: Document = response.json()
        except ValueError:
            document = {}
        if response.status_code >= 400:
            words = document.get("detail") or document.get("faultstring") or response.text
            raise RefusedError(response.status_code, str(words))
        return document
