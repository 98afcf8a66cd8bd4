"""Removal of amphorae and of a whole embedded world; for compute, and for `down` when no service runs any more."""

import errno
import shutil
from collections.abc import Iterable

from actium_shared.embedded import RUN_FOLDER, amphora_namespace, links, namespaces, secrets_folder, traffic_namespace
from actium_shared.embedded.deadline import Deadline


def remove_amphora(amphora_id: str, *, timeout_s: float = 10.0) -> None:
    """
    Leave no process, link, namespace or key of the amphora; repeat it after whatever interrupted it.

    Processes go first and are seen gone: a namespace whose name is taken away could not be found again.

    Raises:
        RetryableError: not done in time.
    """
    deadline = Deadline(timeout_s, f"removal of amphora {amphora_id}")
    names = (amphora_namespace(amphora_id), traffic_namespace(amphora_id))
    namespaces.kill_processes(names, deadline)
    for name in names:
        # By hand: the kernel deletes them too, but some time after the namespace, and their names stay taken.
        links.delete(name, [link.name for link in links.veths(name, deadline)], deadline)
        namespaces.remove(name)
    if (folder := secrets_folder(amphora_id)).exists():
        shutil.rmtree(folder)


def remove_fabric(fabric: str, router: str, host_link: str, *, timeout_s: float = 10.0) -> None:
    """Remove bridges, ports, router and the host's link. Services must have ended: their sockets hold the namespace."""
    deadline = Deadline(timeout_s, f"removal of fabric {fabric}")
    links.delete(fabric, [link.name for link in links.veths(fabric, deadline)], deadline)
    if links.Link(host_link, fabric) in links.veths(None, deadline):  # its fabric lost its name before
        links.delete(None, [host_link], deadline)
    for name in (router, fabric):
        namespaces.remove(name)
    try:
        RUN_FOLDER.rmdir()
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.ENOENT):  # another world runs, or nothing ever did
            raise


def remove_world(
    fabric: str, router: str, host_link: str, amphora_ids: Iterable[str], *, timeout_s: float = 60.0
) -> None:
    """Remove every amphora and then the fabric, with nothing left on the host."""
    deadline = Deadline(timeout_s, f"removal of the world on {fabric}")
    for amphora_id in amphora_ids:
        remove_amphora(amphora_id, timeout_s=deadline.left_s())
    remove_fabric(fabric, router, host_link, timeout_s=deadline.left_s())
