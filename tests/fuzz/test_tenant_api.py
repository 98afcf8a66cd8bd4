"""
Requests made from the API's own description: right, wrong, and right but for a field. None may end in an unintended 5xx,
and each reply must be one that the description promises.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from actium_api.openapi.document import built
from contract.memory_world import MemoryWorld
from fuzz.seeds import RIGHT, Seeds

LONG = "TESTS_LONG" in os.environ
EXAMPLES = 2000 if LONG else 15
INTENDED = frozenset((501, 503))
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
Operation = APIOperation[Any, Any, Any, Any]
OPERATIONS = [
    found.ok() for found in schemathesis.openapi.from_dict(built()).get_all_operations() if isinstance(found, Ok)
]
FUZZING = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not LONG,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world() -> Iterator[MemoryWorld]:
    with MemoryWorld(offers_anything=False) as made:
        yield made


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_reply_is_as_described_and_none_a_mishap(operation: Operation, world: MemoryWorld) -> None:
    seeds = Seeds(world)

    @given(st.data())
    @FUZZING
    def fuzz(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case: Case[Any] = data.draw(operation.as_strategy(generation_mode=mode))
        aim(case, seeds, data)
        response = send(world, case)
        assert response.status_code < 500 or response.status_code in INTENDED, response.text
        case.validate_response(response, checks=CHECKS)
        if operation.method.upper() == "DELETE" and response.is_success:
            seeds.sow()

    fuzz()


def aim(case: Case[Any], seeds: Seeds, data: st.DataObject) -> None:
    """Have most requests find what they ask for, and most bodies be nearly right."""
    is_aimed: bool = data.draw(st.sampled_from([True, True, True, False]))
    if case.path_parameters and is_aimed:
        for kind, name in re.findall(r"(\w+)/{(\w+)}", case.path):
            case.path_parameters[name] = seeds.ids.get(kind, "none")
    if not isinstance(case.body, dict):
        return
    if data.draw(st.booleans()):
        seeds.plant(case.body)
    for key, sent in case.body.items():
        if key in RIGHT and isinstance(sent, dict) and data.draw(st.booleans()):
            some = data.draw(st.sets(st.sampled_from(sorted(sent)), max_size=2)) if sent else set[str]()
            right = seeds.right(key) if case.method.upper() == "POST" else {}
            case.body[key] = right | {name: sent[name] for name in some}


def send(world: MemoryWorld, case: Case[Any]) -> httpx.Response:
    words: dict[str, Any] = case.as_transport_kwargs("http://api")
    known: dict[str, Any] = {name: words[name] for name in ("headers", "params", "json") if name in words}
    if "data" in words:
        known["content"] = words["data"]
    return world.request(words["method"], words["url"], **known)
