"""Making an amphora's machine run until its agent answers, and making nothing of it exist."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import msgspec

from actium_compute.acquaintance import Acquaintance, Acquaintances
from actium_compute.agent_client import AGENT_PORT
from actium_compute.agents import Agent, Agents, AgentStatus, Taken
from actium_compute.amphora_drivers import Drivers
from actium_compute.authority import Authority
from actium_compute.configuring import Configuring
from actium_compute.facts import Facts, Stored
from actium_compute.journal import Journal
from actium_compute.next_step import first_configuration
from actium_compute.plugging import Plugging, machine_port
from actium_compute.ports import Machine, Machines, MachineWish
from actium_compute.read_model import queries
from actium_shared.clock import Clock
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora
from actium_shared.crypto import heartbeat_key
from actium_shared.errors import RetryableError
from actium_shared.events.amphora import AmphoraBooted, AmphoraBootFailed, AmphoraDeleted
from actium_shared.events.network import Port
from actium_shared.message import Event
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

MACHINE_TIMEOUT_S = 20.0
AGENT_PATIENCE_S = 3.0
"""How long one attempt waits for the agent; then it is looked whether the amphora is still wanted."""

AGENT_POLL_S = 0.01
PUSH_PATIENCE_S = 5.0
"""For the first configuration to get through; after that the boot is recorded without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisions:
    """What every amphora gets from its controller."""

    authority: Authority
    heartbeat_master_key: bytes = field(repr=False)
    relays: tuple[tuple[str, int], ...]
    gateways: tuple[tuple[str, int], ...] = ()
    heartbeat_interval_s: float

    def heartbeat_key(self, amphora_id: str, version: int) -> bytes:
        return heartbeat_key(self.heartbeat_master_key, amphora_id, version)


class Booting:
    """Each method may be repeated after a crash at any point."""

    def __init__(
        self,
        *,
        machines: Machines,
        provisions: Provisions,
        drivers: Drivers,
        configuring: Configuring,
        agents: Agents,
        plugging: Plugging,
        journal: Journal,
        database: Database,
        acquaintances: Acquaintances,
        clock: Clock,
    ) -> None:
        self._machines = machines
        self._provisions = provisions
        self._drivers = drivers
        self._configuring = configuring
        self._agents = agents
        self._plugging = plugging
        self._journal = journal
        self._database = database
        self._acquaintances = acquaintances
        self._clock = clock

    async def boot(self, facts: Facts, order: Stored[BootAmphora], *, is_news: Callable[[], bool]) -> None:
        """
        Make it run and answer, configure it if it is known how by then, and record all of that in one commit.

        `is_news` tells whether more has become known of it since `facts`.

        Raises:
            RetryableError: not yet.
            PermanentError: it will never be possible.
        """
        self._drivers.of(order.order.driver)  # nobody could ever tell it anything
        acquaintance = self._acquaintances.of(facts.amphora_id)
        acquaintance.rebooted()
        self._agents.forget(facts.amphora_id)
        machine = await self._machines.boot(await self._machine_wish(facts, order.order), timeout_s=MACHINE_TIMEOUT_S)
        if order.order.vip_port_id is not None:
            await self._plugging.plug(facts, (order.order.vip_port_id,))
        agent = self._configuring.agent(facts)
        status = await self._answer(agent)
        facts = await self._look_again(facts) if is_news() else facts
        booted = self._booted(facts, order.order, machine, agent, _known_by(status, facts, acquaintance))
        configuration = first_configuration(facts)
        configured = await self._first_configuration(facts, configuration) if configuration else ()
        cause = configuration.order if configuration and configured else order.order
        await self._journal.append(facts, booted, *configured, order_id=cause.order_id)
        acquaintance.runs = True

    async def restart(self, facts: Facts, order: Stored[BootAmphora], *, is_news: Callable[[], bool]) -> None:
        """
        Switch it off and boot it with new certificates, as `boot` does. Its traffic stops for that moment.

        Raises:
            RetryableError, PermanentError: as `boot`.
        """
        await self._machines.power_off(facts.amphora_id, timeout_s=MACHINE_TIMEOUT_S)
        self._acquaintances.of(facts.amphora_id).runs = False
        await self.boot(facts, order, is_news=is_news)

    async def give_up(self, facts: Facts, order: Stored[BootAmphora], reason: str) -> None:
        """Clear away what there is of it and record that it will not come."""
        await self._machines.delete(facts.amphora_id, timeout_s=MACHINE_TIMEOUT_S)
        event = AmphoraBootFailed(amphora_id=facts.amphora_id, appliance_id=facts.appliance_id, reason=reason)
        await self._journal.append(facts, event, order_id=order.order.order_id)

    async def delete(self, facts: Facts, order: Stored[DeleteAmphora]) -> None:
        """Make nothing of it exist, and record it."""
        self._agents.forget(facts.amphora_id)
        await self._machines.delete(facts.amphora_id, timeout_s=MACHINE_TIMEOUT_S)
        event = AmphoraDeleted(amphora_id=facts.amphora_id, appliance_id=facts.appliance_id)
        await self._journal.append(facts, event, order_id=order.order.order_id)

    async def _look_again(self, facts: Facts) -> Facts:
        newer = await self._database.read(lambda connection: queries.facts(connection, facts.amphora_id))
        return facts if newer is None else newer

    async def _machine_wish(self, facts: Facts, order: BootAmphora) -> MachineWish:
        management = facts.ports[order.management_port_id]
        relatives = await self._database.read(
            lambda connection: queries.hosts_of(
                connection, queries.serving(connection, order.group) - {facts.amphora_id} if order.group else ()
            )
        )
        return MachineWish(
            amphora_id=facts.amphora_id,
            image_tag=order.image_tag,
            management_port=machine_port(management),
            files=partial(self._files, facts, management),
            # Spares were placed before they had a group; by now they may have the same.
            avoid_hosts=relatives.union(order.avoid_hosts),
            group=order.group,
            prefer_not_hosts=frozenset(order.prefer_not_hosts),
            spread=order.spread or order.appliance_id,
        )

    def _files(self, facts: Facts, management: Port) -> Mapping[str, bytes]:
        provisions = self._provisions
        edition = provisions.authority.edition.number
        settings = {
            "amphora_id": facts.amphora_id,
            "listen_address": management.address,
            "listen_port": AGENT_PORT,
            "relays": provisions.relays,
            "gateways": provisions.gateways,
            "heartbeat_interval_s": provisions.heartbeat_interval_s,
            "heartbeat_key_version": facts.heartbeat_key_version,
            "credentials_edition": edition,
        }
        self._acquaintances.of(facts.amphora_id).given_edition = edition
        return {
            "amphora.json": msgspec.json.encode(settings),
            "agent.pem": provisions.authority.issue(facts.amphora_id).pem,
            "ca.pem": provisions.authority.certificate_pem,
            "heartbeat.key": provisions.heartbeat_key(facts.amphora_id, facts.heartbeat_key_version),
        }

    async def _answer(self, agent: Agent) -> AgentStatus:
        """Wait for the agent and give what it says; its certificate and key may be of an earlier attempt."""
        give_up = self._clock.monotonic() + AGENT_PATIENCE_S
        while True:
            try:
                return await agent.status()
            except RetryableError:
                if self._clock.monotonic() >= give_up:
                    raise
                await self._clock.sleep(AGENT_POLL_S)

    async def _first_configuration(self, facts: Facts, wish: Stored[ConfigureAmphora]) -> tuple[Event, ...]:
        give_up = self._clock.monotonic() + PUSH_PATIENCE_S
        while True:
            try:
                return (await self._configuring.push(facts, wish),)
            except RetryableError as exc:
                log.warning("first configuration fails", extra={"amphora": facts.amphora_id, "error": str(exc)})
                if self._clock.monotonic() >= give_up:
                    return ()
                await self._clock.sleep(AGENT_POLL_S)

    def _booted(
        self, facts: Facts, order: BootAmphora, machine: Machine, agent: Agent, known_by: Taken
    ) -> AmphoraBooted:
        return AmphoraBooted(
            amphora_id=facts.amphora_id,
            appliance_id=facts.appliance_id,
            compute_id=machine.compute_id,
            host=machine.host,
            image_tag=order.image_tag,
            management_address=facts.ports[order.management_port_id].address,
            heartbeat_key_version=known_by.heartbeat_key_version,
            certificate_expires_at=_shown(agent),
            credentials_edition=known_by.credentials_edition,
        )


def _known_by(status: AgentStatus, facts: Facts, acquaintance: Acquaintance) -> Taken:
    """Give what it goes by, which may be of an earlier attempt; what it does not say is what it was given."""
    given = acquaintance.given_edition or facts.credentials_edition
    return Taken(
        heartbeat_key_version=status.heartbeat_key_version or facts.heartbeat_key_version,
        credentials_edition=status.credentials_edition or given,
    )


def _shown(agent: Agent) -> datetime:
    if agent.certificate_expires_at is None:
        raise RetryableError(f"agent at {agent.address} has shown no certificate")
    return agent.certificate_expires_at
