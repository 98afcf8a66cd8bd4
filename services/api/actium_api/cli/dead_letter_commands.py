"""`actium dead-letters [retry|skip]`: what services could not digest, and what becomes of it."""

import json
from typing import Annotated, Any

import typer

from actium_api.cli import showing
from actium_api.cli.output import api, output, write

PATH = "/operator/v1/dead-letters"

app = typer.Typer(help="What services could not digest: listed without a word, retried or skipped with one.")

Number = Annotated[int, typer.Argument(help="Its number, as the list shows it.", min=1)]
Why = Annotated[str, typer.Option(help="It stands on the log with your name.")]


@app.callback(invoke_without_command=True)
def list_all(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Those that were decided on, too.")] = False,
) -> None:
    """List what services could not digest, newest first, with the reason."""
    if context.invoked_subcommand is not None:
        return
    told: dict[str, Any] = api().get(PATH)
    letters = [letter for letter in told["dead_letters"] if everything or letter["decision"] is None]
    if as_json:
        write(json.dumps({"dead_letters": letters}))
        return
    for letter in letters:
        output.print(showing.dead_letter(letter), soft_wrap=True)


@app.command("retry")
def retry(letter: Number, reason: Why) -> None:
    """Have the service that could not digest it handle it now."""
    _decide(letter, "retry", reason)


@app.command("skip")
def skip(letter: Number, reason: Why) -> None:
    """Call it settled: nobody will handle it any more."""
    _decide(letter, "skip", reason)


def _decide(letter: int, word: str, reason: str) -> None:
    api().send("POST", f"{PATH}/{letter}/{word}", {"reason": reason})
    output.print(f"dead letter {letter} is settled", soft_wrap=True)
