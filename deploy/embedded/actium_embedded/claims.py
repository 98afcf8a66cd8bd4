"""
Which world holds which name on this host. Namespaces and links are the host's, and two worlds of one name would share them.

Kept where namespaces are kept, in a folder that a reboot empties.
"""

from pathlib import Path

from actium_embedded.errors import WorldError
from actium_embedded.files import write_atomically
from actium_embedded.world import World, world_file

FOLDER = Path("/run/actium-worlds")


def check(world: World) -> None:
    """
    Refuse a name that another folder's world holds. A world that puts nothing on the host needs no name there.

    Raises:
        WorldError: it is held; where that folder is gone for good, it is free.
    """
    holder = held_by(world.name) if world.is_on_host else None
    if holder not in (None, world.folder) and world_file(holder).exists():
        raise WorldError(
            f"the world in {holder} holds the name {world.name!r} on this host; take it down "
            f"(`./actium --world {holder} down`) or give this one another (`./actium up --name NAME`)"
        )


def take(world: World) -> None:
    check(world)
    if world.is_on_host:
        FOLDER.mkdir(exist_ok=True)
        write_atomically(FOLDER / world.name, str(world.folder).encode())


def give_back(world: World) -> None:
    if not world.is_on_host:
        return
    if held_by(world.name) == world.folder:
        (FOLDER / world.name).unlink(missing_ok=True)
    if FOLDER.is_dir() and not any(FOLDER.iterdir()):
        FOLDER.rmdir()


def held_by(name: str) -> Path | None:
    try:
        return Path((FOLDER / name).read_text())
    except FileNotFoundError:
        return None
