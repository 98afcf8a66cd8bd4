"""What the documents name is there: the command line's words, and the files that newcomers are sent to."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from actium_embedded.cli import OPERATOR_COMMANDS, app
from actium_embedded.world import CHECKOUT

FOLDERS = ("shared", "services", "deploy", "tests")
DOCUMENTS = [
    CHECKOUT / "README.md",
    CHECKOUT / "CHANGELOG.md",
    *sorted(path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*.md")),
]
MODULES = [path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*.py")]
READMES = [path for path in DOCUMENTS if path.name == "README.md"]


def name(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_word_of_the_command_line_that_is_named_exists(document: Path) -> None:
    known = {group.name for group in app.registered_groups} | {command.name for command in app.registered_commands}
    named = set(re.findall(r"(?<!\w)\./actium (?:--world \S+ )?([a-z][a-z-]+)", document.read_text()))
    assert named <= known | set(OPERATOR_COMMANDS)


@pytest.mark.parametrize("document", READMES, ids=name)
def test_every_module_that_is_named_is_there(document: Path) -> None:
    assert [module for module in modules(document.read_text()) if not any(path.match(module) for path in MODULES)] == []


def modules(text: str) -> Iterator[str]:
    """Names of Python files between backticks, `{a,b}` spelled out; a placeholder in `<>` stands for anything."""
    for quoted in re.findall(r"`([\w./{},<>*-]+\.py)`", text):
        parts = re.split(r"\{([^}]*)\}", re.sub(r"<[^>]*>", "*", quoted))
        yield from map("".join, product(*(part.split(",") if odd % 2 else [part] for odd, part in enumerate(parts))))
