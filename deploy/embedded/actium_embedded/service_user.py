"""
The user as whom the API asks Keystone whose token it is: taken from `OS_*` or clouds.yaml at `up --auth keystone`.

Kept in a clouds.yaml of the world that only root may read, so that no password stands in an environment or a table of
processes, and the next `up` finds it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actium_embedded.errors import WorldError
from actium_embedded.files import write_atomically
from actium_embedded.world import World

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

CLOUD = "actium"
LOGIN_TIMEOUT_S = 10.0
KEPT = ("auth_type", "auth", "region_name", "interface", "cacert", "cert", "key", "verify", "identity_api_version")
"""What of a cloud's settings has to do with logging in."""


def file(world: World) -> Path:
    return world.secrets / "clouds.yaml"


def variables(world: World) -> Mapping[str, str]:
    """What the API's process needs to find it."""
    return {"OS_CLIENT_CONFIG_FILE": str(file(world)), "OS_CLOUD": CLOUD}


def take(world: World) -> None:
    """
    Take the user whom this shell's settings name, after trying him, and keep him.

    Raises:
        WorldError: there is none, or Keystone does not let him in.
    """
    region = _region()
    _log_in(region)
    settings = {name: region.config[name] for name in KEPT if region.config.get(name) is not None}
    world.make_folders()
    content = json.dumps({"clouds": {CLOUD: settings}}, indent=2, default=str)  # which is YAML too
    write_atomically(file(world), content.encode(), mode=0o600)


def _region() -> "CloudRegion":
    from keystoneauth1.exceptions import ClientException
    from openstack.config import OpenStackConfig
    from openstack.exceptions import SDKException

    try:
        return OpenStackConfig().get_one()
    except (SDKException, ClientException) as exc:
        raise WorldError(
            "`--auth keystone` needs a service user: set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME and the "
            f"domains, or OS_CLOUD for one of clouds.yaml ({exc})"
        ) from exc


def _log_in(region: "CloudRegion") -> None:
    from keystoneauth1 import exceptions

    url = region.get_auth_args()["auth_url"]
    try:
        session = region.get_session()
        session.timeout = LOGIN_TIMEOUT_S
        session.get_token()
    except exceptions.ConnectFailure as exc:
        raise WorldError(f"the identity service at {url} does not answer") from exc
    except exceptions.ClientException as exc:
        raise WorldError(f"the identity service at {url} does not let the service user in: {exc}") from exc


def auth_url(world: World) -> str:
    """
    Where he logs in.

    Raises:
        WorldError: nobody is kept.
    """
    try:
        kept: dict[str, Any] = json.loads(file(world).read_text())
    except FileNotFoundError as exc:
        raise WorldError(
            f"{file(world)} is missing: call `./actium up --auth keystone` with the service user's OS_*"
        ) from exc
    return str(kept["clouds"][CLOUD]["auth"]["auth_url"])
