"""From settings to who is let in and what he may. What only Keystone's way needs is loaded only for it: it is large."""

import hmac
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from actium_api.access.callers import ADMINISTRATOR, Authenticator, Identity
from actium_api.access.policy import EverythingGoes, Policy
from actium_api.settings import ApiSettings
from actium_shared.clock import Clock
from actium_shared.errors import SettingsError

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

    from actium_api.access.keystone import KeystoneTokens
    from actium_api.access.tenant_secrets import TenantSecrets

OPERATOR_KEY_HEADER = "x-actium-operator-key"
OPERATOR_KEY_SHORTEST = 32
OPERATOR = "operator"


def authenticator(settings: ApiSettings, clock: Clock) -> Authenticator | None:
    """
    Give the way in which callers are known, None where everyone is let in.

    Raises:
        SettingsError: settings contradict each other, or our service user is not given.
    """
    if settings.auth == "none":
        _refuse_without_effect(settings)
        return None
    from actium_api.access.keystone import Keystone

    region = _service_user()
    keystone = Keystone(
        _tokens(region),
        clock=clock,
        uri=settings.www_authenticate_uri or str(region.get_auth_args()["auth_url"]),
        kept_s=settings.token_kept_s,
        kept_count=settings.token_kept_count,
    )
    if settings.operator_key_file is None:
        return keystone
    return OperatorKey(_operator_key(settings.operator_key_file), otherwise=keystone)


def policy(settings: ApiSettings) -> Policy:
    """
    Give what callers may.

    Raises:
        SettingsError: the policy file is wrong.
    """
    if settings.auth == "none":
        return EverythingGoes()
    from actium_api.access.rule_policy import RulePolicy

    return RulePolicy.from_file(settings.policy_file, load_balancer_roles=settings.policy_load_balancer_roles)


class OperatorKey:
    """Lets in whoever has the operator's key, as an administrator of no project; all others go the other way."""

    def __init__(self, key: str, *, otherwise: Authenticator) -> None:
        self._key, self._otherwise = key.encode(), otherwise
        self._operator = Identity(user_id=OPERATOR, project_id="", roles=ADMINISTRATOR, says_his_name=True)

    async def identify(self, request: HTTPConnection) -> Identity:
        given = request.headers.get(OPERATOR_KEY_HEADER)
        if given is not None and hmac.compare_digest(given.encode(), self._key):
            return self._operator
        return await self._otherwise.identify(request)

    def challenge(self) -> str | None:
        return self._otherwise.challenge()

    async def close(self) -> None:
        await self._otherwise.close()


def tenant_secrets(settings: ApiSettings) -> "TenantSecrets | None":
    """
    Give who knows which secrets tenants may read; None where nothing proves who they are, or no store could tell.

    Raises:
        SettingsError: our service user is not given.
    """
    if settings.auth == "none" or settings.secret_store == "local":  # noqa: S105 - a kind of store
        return None
    from keystoneauth1.adapter import Adapter

    from actium_api.access.tenant_secrets import SERVICE, BarbicanTenantSecrets

    region = _service_user()
    barbican = Adapter(
        region.get_session(),
        service_type=SERVICE,
        interface=region.get_interface(SERVICE),
        region_name=region.get_region_name(SERVICE),
        endpoint_override=region.get_endpoint(SERVICE),
    )
    return BarbicanTenantSecrets(barbican)


def _refuse_without_effect(settings: ApiSettings) -> None:
    """A rule that nobody looks at would be taken for one that protects."""
    for name in ("policy_file", "policy_load_balancer_roles", "operator_key_file", "www_authenticate_uri"):
        if getattr(settings, name):
            raise SettingsError(f"setting ACTIUM_{name.upper()} has no effect without ACTIUM_AUTH=keystone")


def _service_user() -> "CloudRegion":
    """Read `OS_*` and clouds.yaml as every client does."""
    from keystoneauth1.exceptions import ClientException
    from openstack.config import OpenStackConfig
    from openstack.exceptions import SDKException

    try:
        region = OpenStackConfig().get_one()
        region.get_session()
    except (SDKException, ClientException) as exc:
        raise SettingsError(
            f"ACTIUM_AUTH=keystone needs a service user, given by OS_AUTH_URL and so on, or OS_CLOUD: {exc}"
        ) from exc
    return region


def _tokens(region: "CloudRegion") -> "KeystoneTokens":
    from keystoneauth1 import plugin
    from keystoneauth1.adapter import Adapter

    from actium_api.access.keystone import ANSWER_TIMEOUT_S, KeystoneTokens

    session = region.get_session()
    session.timeout = ANSWER_TIMEOUT_S
    adapter = Adapter(
        session,
        service_type="identity",
        interface=plugin.AUTH_INTERFACE,  # type: ignore[arg-type]  # where it logs in; any catalogue has more than that
        min_version="3",
        max_version="3.latest",
    )
    return KeystoneTokens(adapter)


def _operator_key(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"setting ACTIUM_OPERATOR_KEY_FILE: {exc}") from exc
    if len(key) < OPERATOR_KEY_SHORTEST:
        raise SettingsError(
            f"setting ACTIUM_OPERATOR_KEY_FILE: {path} must hold {OPERATOR_KEY_SHORTEST} characters or more"
        )
    return key
