"""
Serves Swift on loopback until it is ended: proxy, account, container and object server in one process, one copy of each.

Run by the Python of Swift's own environment. Whoever shows the word of a test may do everything; all others need a
signature, or get 401.
"""

import eventlet

eventlet.monkey_patch()

import logging  # noqa: E402 - after all that is to be patched
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402

_, FOLDER, PORT, WORD = sys.argv
HOST = "127.0.0.1"
RINGS = {"account": 1, "container": 2, "object": 3}
"""Whose port is so many above the proxy's."""


def prepare(folder: Path) -> None:
    """Before the rest of Swift is imported, which reads this file then."""
    folder.mkdir(exist_ok=True)
    (folder / "devices" / "disk").mkdir(parents=True, exist_ok=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = test\n")
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")
    utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b"a", b"test"


def make_rings(folder: Path) -> None:
    from swift.common.ring import RingBuilder

    for name, offset in RINGS.items():
        builder = RingBuilder(2, 1, 1)
        place = {"region": 1, "zone": 1, "ip": HOST, "port": int(PORT) + offset, "device": "disk", "weight": 1.0}
        builder.add_dev(place | {"replication_ip": HOST, "replication_port": int(PORT) + offset})
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{name}.ring.gz"))


def guarded(application: Any) -> Any:
    def authorize(request: Any) -> Any:
        from swift.common.swob import HTTPUnauthorized

        if request.headers.get("X-Word") != WORD:
            return HTTPUnauthorized(request=request)
        request.environ["swift_owner"] = True  # who may set keys
        return None

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get("swift.authorize_override"):
            environ["swift.authorize"] = authorize
        return application(environ, start_response)

    return call


def applications(folder: Path) -> dict[str, Any]:
    from swift.account import server as account
    from swift.common.middleware import catch_errors, container_quotas, tempurl
    from swift.container import server as container
    from swift.obj import server as objects
    from swift.proxy import server as proxy

    common = {
        "devices": str(folder / "devices"),
        "mount_check": "false",
        "swift_dir": str(folder),
        "log_level": "ERROR",
    }
    front = proxy.Application(common | {"account_autocreate": "true", "allow_account_management": "true"})
    for outer in (
        container_quotas.filter_factory({}),
        guarded,
        tempurl.filter_factory({}),
        catch_errors.filter_factory({}),
    ):
        front = outer(front)
    return {
        "proxy": front,
        "account": account.AccountController(common),
        "container": container.ContainerController(common),
        "object": objects.ObjectController(common),
    }


def main() -> None:
    folder = Path(FOLDER)
    prepare(folder)
    make_rings(folder)
    for name, application in applications(folder).items():
        listening = eventlet.listen((HOST, int(PORT) + RINGS.get(name, 0)), backlog=128)
        quiet = logging.getLogger(name)
        served = eventlet.spawn(wsgi.server, listening, application, quiet, log_output=False)
    served.wait()


main()
