"""The authority that amphorae trust, as an operator sees and replaces it, over the real operator API and the real compute."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from integration.operator.with_compute import Here, here

__all__ = ["here"]

AUTHORITY = "/operator/v1/authority"
REPLACE = ("authority", "replace", "--reason", "the old key was seen")


async def told(here: Here) -> list[dict[str, Any]]:
    answer = await here.client.get("/operator/v1/events", params={"type": "authority"})
    return [msgspec.json.decode(line) for line in answer.text.splitlines()]


async def test_it_is_replaced_on_an_operators_word_with_reason_and_name_on_the_log(here: Here) -> None:
    before = (await here.client.get(AUTHORITY)).json()["authority"]["edition"]
    begun = await here.actium(*REPLACE, "--follow")
    assert (begun.code, begun.err) == (0, "")
    assert begun.out.splitlines()[-1] == f"edition {before + 3}: settled, no replacement is under way"
    async with asyncio.timeout(20):
        while (await told(here))[-1]["body"]["phase"] != "settled":
            await asyncio.sleep(0.05)
    first, *others = (await told(here))[-4:]
    assert first["words"]["what"].endswith("all amphorae shall trust the new authority, too (the old key was seen)")
    assert first["actor"]["user_id"].startswith("admin ")  # and the name of whoever runs this
    assert first["words"]["why"] == "asked: authority.replace"
    assert [each["body"]["edition"] - before for each in (first, *others)] == [1, 2, 3, 3]
    shown = await here.actium("authority", "show", "--json")
    assert json.loads(shown.out)["authority"]["phase"] == "settled"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [(b'{"reason": " "}', 400, "reason"), (b"{}", 400, None), (b'{"reason": "x", "colour": 1}', 400, None)],
)
async def test_it_is_not_replaced_without_a_reason(here: Here, body: bytes, status: int, field: str | None) -> None:
    before = await told(here)
    headers = {"content-type": "application/json"}
    answer = await here.client.post(f"{AUTHORITY}/replacement", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)
    assert await told(here) == before
