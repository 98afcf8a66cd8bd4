"""`actium secret put|list|delete`: certificates with their keys, for listeners and pools that name them by reference."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from actium_api.cli import showing
from actium_api.cli.client import CliError
from actium_api.cli.output import api, errors, output, write
from actium_shared.terminals import clean

PATH = "/operator/v1/secrets"

app = typer.Typer(help="Certificates and their keys, for TERMINATED_HTTPS and the like.", no_args_is_help=True)


@app.command("put")
def put(
    *,
    name: Annotated[str | None, typer.Option(help="For people; needed unless --ref has one already.")] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate; its file may hold key and chain too. PEM.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's private key. PEM.")] = None,
    intermediates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What leads from the certificate to its root. PEM.")
    ] = None,
    pkcs12: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate, key and chain in one, without a passphrase.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Authorities that clients or members must be certified by. PEM.")
    ] = None,
    crl: Annotated[Path | None, typer.Option(metavar="FILE", help="What such an authority has revoked. PEM.")] = None,
    ref: Annotated[
        str | None, typer.Option(help="Take the place of this one: whatever uses it is given the new content.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Id of the project whose load balancers may use it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False,
) -> None:
    """Keep a secret and print its reference, as `--default-tls-container-ref` and its kin take it."""
    kind, files = _meant(certificate=certificate, key=key, intermediates=intermediates, pkcs12=pkcs12, ca=ca, crl=crl)
    if not name and not ref:
        raise CliError("Give it a --name.")
    client = api()
    if not client.is_local:
        raise CliError(f"Private keys are not sent over a network: run this on the host of {client.url}.")
    content = base64.b64encode(b"\n".join(_read(file) for file in files)).decode()
    posted = {"content": content, "kind": kind, "name": name, "ref": ref, "project_id": project}
    told: dict[str, Any] = client.send(
        "POST", PATH, {field: value for field, value in posted.items() if value is not None}
    )
    write(json.dumps(told) if as_json else told["secret"]["ref"])


@app.command("list")
def list_secrets(as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False) -> None:
    """List the secrets: never their content."""
    told = api().get(PATH)
    if as_json:
        write(json.dumps(told))
    else:
        output.print(showing.secrets(told["secrets"]))


@app.command("delete")
def delete(
    ref: Annotated[str, typer.Argument(help="Its reference.")],
    force: Annotated[bool, typer.Option("--force", help="Also if load balancers use it.")] = False,
) -> None:
    """Forget a secret. What uses it serves on with what it has, and cannot be changed until the secret is put again."""
    try:
        api().send("DELETE", PATH, query={"ref": ref, "force": str(force).lower()})
    except CliError as exc:
        raise CliError(str(exc).replace("By force", "With --force")) from exc
    errors.print(f"{clean(ref)} is forgotten", style="dim", markup=False)


def _meant(
    *,
    certificate: Path | None,
    key: Path | None,
    intermediates: Path | None,
    pkcs12: Path | None,
    ca: Path | None,
    crl: Path | None,
) -> tuple[str, Sequence[Path]]:
    """Say which kind of secret these files make; they must make one."""
    parts = [file for file in (certificate, key, intermediates) if file]
    found = [
        (kind, files)
        for kind, files in (
            ("certificate", parts),
            ("certificate", [pkcs12] if pkcs12 else []),
            ("ca", [ca] if ca else []),
            ("crl", [crl] if crl else []),
        )
        if files
    ]
    if len(found) != 1 or (parts and not certificate):
        raise CliError("Name one thing: --certificate with --key (and --intermediates), --pkcs12, --ca or --crl.")
    return found[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise CliError(f"{path} cannot be read: {exc.strerror}.") from exc
