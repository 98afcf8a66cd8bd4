"""
The many spellings of the API's paths, made one: `/v2/<resource>` for load balancing, `/v2/octavia/<resource>` for admins.

`/v2` and `/v2.0` are the same tree, `lbaas` may stand in between or not, a trailing slash or `.json` says nothing, and
all of it may be mounted under `/load-balancer`. Paths of other APIs are left alone.
"""

MOUNT = "/load-balancer"
VERSIONS = frozenset(("v2", "v2.0"))
ROOT = "/v2"
HEALTHCHECK = "/healthcheck"
OPENAPI = "/openapi.json"


def canonical(path: str) -> str | None:
    """Give the path as routes know it, or None where it is no path of this API."""
    if "\0" in path:  # nothing is called so, and not every database can be asked for it
        return None
    mounted = path == MOUNT or path.startswith(MOUNT + "/")
    parts = (path[len(MOUNT) :] if mounted else path).split("/")[1:]
    while parts and not parts[-1]:
        parts.pop()
    if not parts:
        return "/" if mounted or path in ("", "/") else None
    if parts in ([HEALTHCHECK[1:]], [OPENAPI[1:]]):
        return f"/{parts[0]}"
    if parts[0] not in VERSIONS:
        return None
    rest = parts[1:]
    if rest[:1] == ["lbaas"]:
        rest = rest[1:]
        if rest[:1] == ["octavia"]:
            return path  # no such thing: not found
    if rest == ["octavia"]:
        rest = []
    if rest and rest[-1].endswith(".json"):
        rest[-1] = rest[-1].removesuffix(".json")
    return "/".join([ROOT, *rest])
