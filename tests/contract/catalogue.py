"""
All messages, and where their golden bytes and schemas lie.

`PYTHONPATH=tests python -m contract.catalogue` writes what is missing; golden bytes that are there are never touched.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from actium_shared.codec import CODEC
from actium_shared.commands import COMMANDS, REPLIES
from actium_shared.events import EVENTS
from actium_shared.message import Message
from contract.samples import sample

MESSAGES: tuple[type[Message], ...] = (*EVENTS, *COMMANDS, *REPLIES)
GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path(__file__).parent / "schemas"


def golden_file(message: type[Message]) -> Path:
    return GOLDEN / f"{message.TYPE}.v{message.VERSION}.msgpack"


def schema_file(message: type[Message]) -> Path:
    return SCHEMAS / f"{message.TYPE}.v{message.VERSION}.json"


def schema_text(message: type[Message]) -> str:
    schema: dict[str, Any] = msgspec.json.schema(message)
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def write_missing() -> None:
    for folder in (GOLDEN, SCHEMAS):
        folder.mkdir(exist_ok=True)
    for message in MESSAGES:
        if not golden_file(message).exists():
            golden_file(message).write_bytes(CODEC.encode(sample(message)))
        schema_file(message).write_text(schema_text(message))


if __name__ == "__main__":
    write_missing()
