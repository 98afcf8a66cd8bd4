"""Before a wish names secrets, compute is asked whether it can use them so. Nothing of a secret's content comes here."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import Request

from actium_api.access.callers import TOKEN_HEADER, caller
from actium_api.faults import Fault
from actium_api.routes.base import asks_of
from actium_shared.commands.compute import CheckSecrets, SecretUse
from actium_shared.commands.planner import ListenerChanges, PoolChanges
from actium_shared.ids import ProjectId, SecretRef
from actium_shared.wishes import Listener, Pool

if TYPE_CHECKING:
    from actium_api.access.tenant_secrets import TenantSecrets

CERTIFICATE, CA, CRL = "certificate", "ca", "crl"
LISTENER_FIELDS = frozenset(
    (
        "default_tls_container_ref",
        "sni_container_refs",
        "client_ca_tls_container_ref",
        "client_crl_container_ref",
    )
)
POOL_FIELDS = frozenset(("tls_container_ref", "ca_tls_container_ref", "crl_container_ref"))


async def check(
    request: Request, project_id: str, *wishes: Listener | Pool, before: Listener | Pool | None = None
) -> None:
    """
    Have compute look at all secrets that these wishes name; what was not named `before` the caller must be able to read.

    Raises:
        Fault: one of them cannot be used as it shall be (400), or nobody answers (503).
    """
    wanted = tuple(use for wish in wishes for use in uses(wish))
    if not wanted:
        return
    known = {use.secret_ref for use in uses(before)} if before is not None else set()
    await _refuse_others(request, [use for use in wanted if use.secret_ref not in known])
    command = CheckSecrets(project_id=ProjectId(project_id), uses=wanted)
    await asks_of(request).confirm(command, caller=caller(request))


async def _refuse_others(request: Request, named: Sequence[SecretUse]) -> None:
    """Refuse what the caller cannot read himself, in the words for what is not there. Who has no token is an operator."""
    secrets: TenantSecrets | None = request.app.state.tenant_secrets
    token = request.headers.get(TOKEN_HEADER)
    if secrets is None or not token:
        return
    unreadable = await secrets.unreadable([use.secret_ref for use in named], token=token)
    refused = [f"{use.field}: there is no secret {use.secret_ref}." for use in named if use.secret_ref in unreadable]
    if refused:
        raise Fault(400, " ".join(refused))


W = TypeVar("W", Listener, Pool)


def changed(wish: W, changes: ListenerChanges | PoolChanges) -> W:
    """Give what the wish becomes."""
    sent = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not msgspec.UNSET}
    return msgspec.structs.replace(wish, **sent)


def uses(wish: Listener | Pool) -> Iterator[SecretUse]:
    """Give every secret that the wish names, with what it is wanted for."""
    match wish:
        case Listener():
            yield from _use(wish.default_tls_container_ref, CERTIFICATE, "default_tls_container_ref")
            for each in wish.sni_container_refs:
                yield from _use(each, CERTIFICATE, "sni_container_refs")
            ca = wish.client_ca_tls_container_ref
            yield from _use(ca, CA, "client_ca_tls_container_ref")
            yield from _use(wish.client_crl_container_ref, CRL, "client_crl_container_ref", ca)
        case Pool():
            yield from _use(wish.tls_container_ref, CERTIFICATE, "tls_container_ref")
            yield from _use(wish.ca_tls_container_ref, CA, "ca_tls_container_ref")
            yield from _use(wish.crl_container_ref, CRL, "crl_container_ref", wish.ca_tls_container_ref)


def _use(ref: SecretRef | None, purpose: str, field: str, ca_ref: SecretRef | None = None) -> Iterator[SecretUse]:
    if ref is not None:
        yield SecretUse(secret_ref=ref, purpose=purpose, field=field, ca_ref=ca_ref)
