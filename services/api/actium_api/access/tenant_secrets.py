"""
May a tenant use the secrets that he names? Those in Barbican he must be able to read himself: compute reads them as our
service user, who may read those of many.

Barbican is shown the request's own token, and asked for what it says of a secret, never for what is in it.
"""

import asyncio
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from keystoneauth1 import exceptions
from keystoneauth1.adapter import Adapter

from actium_api.faults import Fault
from actium_shared.ids import SecretRef
from actium_shared.secret_refs import CONTAINERS, SECRETS, in_barbican

SERVICE = "key-manager"
THREADS = 4
ANSWER_TIMEOUT_S = 4.0
"""Of each of Barbican's answers."""

ASK_TIMEOUT_S = 12.0
"""Of all that one request asks about."""

HIDDEN = (401, 403, 404)
"""One who guesses at others' references learns nothing by which of these it is."""


class TenantSecrets(Protocol):
    """Whoever knows who may read which secrets."""

    async def unreadable(self, refs: Collection[SecretRef], *, token: str) -> frozenset[SecretRef]:
        """
        Give those that the token's owner cannot read.

        Raises:
            Fault: it cannot be found out now (503).
        """
        ...

    def close(self) -> None:
        """Give up what is under way."""
        ...


class BarbicanTenantSecrets:
    """Barbican, asked as the tenant. References that are not Barbican's are compute's to judge."""

    def __init__(self, barbican: Adapter) -> None:
        self._barbican = barbican
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tenant-secrets")

    async def unreadable(self, refs: Collection[SecretRef], *, token: str) -> frozenset[SecretRef]:
        theirs = [ref for ref in dict.fromkeys(refs) if in_barbican(ref)]
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                asked = [loop.run_in_executor(self._threads, self._may_read, ref, token) for ref in theirs]
                readable = await asyncio.gather(*asked)
        except TimeoutError as exc:
            raise _unavailable(f"no answer within {ASK_TIMEOUT_S:g} s") from exc
        return frozenset(ref for ref, may in zip(theirs, readable, strict=True) if not may)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _may_read(self, ref: SecretRef, token: str) -> bool:
        """Ask about one, in a thread; of a container, about all that is in it."""
        kind, its_id = in_barbican(ref) or (SECRETS, "")
        described = self._described(f"{kind}/{its_id}", token)
        if described is None or kind != CONTAINERS:
            return described is not None
        return all(self._described(f"{SECRETS}/{part}", token) is not None for part in _parts(described))

    def _described(self, path: str, token: str) -> Any:
        """Give what Barbican tells the tenant, None where it tells him nothing."""
        try:
            answer = self._barbican.get(
                f"{self._base()}/v1/{path}",
                headers={"Accept": "application/json", "X-Auth-Token": token},
                authenticated=False,
                raise_exc=False,
                log=False,
                timeout=ANSWER_TIMEOUT_S,
            )
        except exceptions.ClientException as exc:
            raise _unavailable(type(exc).__name__) from exc
        if answer.status_code in HIDDEN:
            return None
        if answer.status_code != 200:
            raise _unavailable(f"it answers {answer.status_code}")
        return answer.json()

    def _base(self) -> str:
        """Give where Barbican is, whether the catalogue names a version or not."""
        endpoint = self._barbican.get_endpoint()
        if endpoint is None:
            raise _unavailable(f"the catalogue has no endpoint of type {SERVICE}")
        return endpoint.rstrip("/").removesuffix("/v1")


def _parts(container: Any) -> Iterator[str]:
    for each in container.get("secret_refs", ()):
        named = in_barbican(str(each.get("secret_ref", "")))
        yield named[1] if named else ""


def _unavailable(why: str) -> Fault:
    return Fault(503, f"The secret store cannot be asked at the moment whether you may read what you name: {why}.")
