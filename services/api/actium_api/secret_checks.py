"""Before a wish names secrets, compute is asked whether it can use them so. Nothing of a secret's content comes here."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from actium_api.access.callers import Caller
from actium_api.asks import Asks
from actium_shared.commands.compute import CheckSecrets, SecretUse
from actium_shared.commands.planner import ListenerChanges, PoolChanges
from actium_shared.ids import ProjectId, SecretRef
from actium_shared.wishes import Listener, Pool

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


async def check(asks: Asks, project_id: str, *wishes: Listener | Pool, caller: Caller) -> None:
    """
    Have compute look at all secrets that these wishes name.

    Raises:
        Fault: one of them cannot be used as it shall be (400), or nobody answers (503).
    """
    wanted = tuple(use for wish in wishes for use in uses(wish))
    if wanted:
        await asks.confirm(CheckSecrets(project_id=ProjectId(project_id), uses=wanted), caller=caller)


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
