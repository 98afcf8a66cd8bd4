"""What a token says: user, the one project, roles and the catalogue of endpoints. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from actium_shared.ids import derived_id

REGION = "embedded"
DOMAIN: Mapping[str, str] = {"id": "default", "name": "Default"}
PROJECT_NAME = "admin"
ROLES = ("admin", "member", "reader", "load-balancer_admin")
LIFETIME = timedelta(days=365)
"""Nobody checks it; long enough for a client that keeps its token."""

INTERFACES = ("public", "internal", "admin")
PATHS: Mapping[tuple[str, str], str] = {
    ("identity", "keystone"): "/identity/v3",
    ("network", "neutron"): "/network",
    ("load-balancer", "octavia"): "",
}
"""(Type, name) of a service -> where its endpoint is, below the address that the client used."""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A user as a client names it."""

    id: str | None = None
    name: str | None = None


class Password(msgspec.Struct, frozen=True, kw_only=True):
    user: Named = Named()


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    methods: tuple[str, ...]
    password: Password = Password()


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    identity: Identity


class AuthRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The part of `POST /v3/auth/tokens` that is looked at. Which project is asked for makes no difference."""

    auth: Auth

    @property
    def user(self) -> dict[str, Any]:
        asked = self.auth.identity.password.user
        return user(asked.name or asked.id or "anonymous", user_id=asked.id)


def user(name: str, *, user_id: str | None = None) -> dict[str, Any]:
    """Give a user of that name: always the same id for the same name."""
    return {"id": user_id or derived_id("user", name).replace("-", ""), "name": name, "domain": DOMAIN}


def project(project_id: str) -> dict[str, Any]:
    return {"id": project_id, "name": PROJECT_NAME, "domain": DOMAIN}


def token(
    user: Mapping[str, Any], *, methods: tuple[str, ...], project_id: str, base_url: str, now: datetime
) -> dict[str, Any]:
    """Give the token's content, as validated tokens are shown."""
    return {
        "methods": methods,
        "user": {**user, "password_expires_at": None},
        "project": project(project_id),
        "is_domain": False,
        "roles": [{"id": name, "name": name} for name in ROLES],
        "catalog": catalogue(base_url),
        "audit_ids": [derived_id("audit", str(user["id"]))[:22]],
        "issued_at": _written(now),
        "expires_at": _written(now + LIFETIME),
    }


def catalogue(base_url: str) -> list[dict[str, Any]]:
    """Give every service at every interface, at the address by which the client reached us."""
    return [
        {"id": name, "type": kind, "name": name, "endpoints": _endpoints(kind, f"{base_url.rstrip('/')}{path}")}
        for (kind, name), path in PATHS.items()
    ]


def _endpoints(kind: str, url: str) -> list[dict[str, str]]:
    return [
        {"id": f"{kind}-{interface}", "interface": interface, "region": REGION, "region_id": REGION, "url": url}
        for interface in INTERFACES
    ]


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
