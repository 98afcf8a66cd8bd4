"""`down`: ends the world and leaves nothing of it on the host but its folder. May be repeated, and killed, at any point."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from actium_embedded import backends, claims, supervisor
from actium_embedded import running as processes
from actium_embedded.errors import WorldError
from actium_embedded.processes import NATS_SERVER
from actium_embedded.terminal import step
from actium_embedded.world import World
from actium_shared.embedded.teardown import remove_amphora, remove_fabric
from actium_shared.errors import RetryableError

SUPERVISOR_PATIENCE_S = 5.0
SERVICE_PATIENCE_S = 10.0


def bring_down(world: World) -> None:
    """
    End everything; data stays. Amphorae and fabric go after the services that would make them anew.

    Raises:
        WorldError: something could not be removed in time; what it is stands in the sentence. Call again.
    """
    end_processes(world)
    try:
        end_machines(world)
    except RetryableError as exc:
        raise WorldError(f"not all is gone yet: {exc}; `./actium down` again") from exc
    claims.give_back(world)


def end_processes(world: World) -> None:
    """The supervisor first, as it would restart what ends; the services next, all at once; the bus, which all need, last."""
    services = [process.name for process in supervisor.read_table(world) if process.name != NATS_SERVER]
    end = partial(end_process, world, patience_s=SERVICE_PATIENCE_S)
    with step("ending the processes") as current, ThreadPoolExecutor(max_workers=len(services) + 1) as threads:
        end_process(world, supervisor.NAME, patience_s=SUPERVISOR_PATIENCE_S)
        current.says(", ".join(services))
        killed = [name for name, went in zip(services, threads.map(end, services), strict=True) if not went]
        current.says(NATS_SERVER)
        killed += [] if end(NATS_SERVER) else [NATS_SERVER]
        current.says(f"{', '.join(killed)} did not end in {SERVICE_PATIENCE_S:.0f} s: killed" if killed else "")


def end_process(world: World, name: str, *, patience_s: float) -> bool:
    """Whether it ended by itself; one that does not run counts as such."""
    running = processes.find(world, name)
    went = processes.end(running, patience_s=patience_s) if running else True
    processes.record_file(world.run, name).unlink(missing_ok=True)
    return went


def end_machines(world: World) -> None:
    if not world.is_on_host:
        return
    amphora_ids = [folder.name for folder in world.amphorae.iterdir()] if world.amphorae.is_dir() else []
    with step("removing amphorae, back ends and the fabric") as current:
        for amphora_id in amphora_ids:
            current.says(f"amphora {amphora_id}")
            remove_amphora(amphora_id)
        for backend in backends.wished(world):
            current.says(f"back end {backend.name}")
            backends.end(world, backend)
        current.says("fabric")
        remove_fabric(world.fabric_namespace, world.router_namespace, world.host_link)
        current.says("")


def wipe(world: World) -> None:
    """Remove the folder with all data; only after `bring_down`."""
    with step("removing all data") as current:
        shutil.rmtree(world.folder)
        current.says(str(world.folder))
