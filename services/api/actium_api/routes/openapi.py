"""`/openapi.json`: what can be asked of this API, for those who read that. Open to everyone, as the version document is."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from actium_api import paths
from actium_api.faults import raw_response
from actium_api.routes.base import route


async def get(_request: Request) -> Response:
    return raw_response(await asyncio.to_thread(_document))


def _document() -> bytes:
    from actium_api.openapi import document  # made only for those who ask

    return document.document()


ROUTES = [route(paths.OPENAPI, GET=get)]
