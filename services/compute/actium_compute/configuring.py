"""Making an amphora run a configuration: plug in what it needs, render, push, unplug what it needs no more."""

import logging

import msgspec

from actium_compute.acquaintance import Acquaintances
from actium_compute.agent_client import AgentClient, Agents, Applied, Outdated, Refused
from actium_compute.amphora_drivers import AmphoraDriver
from actium_compute.amphora_drivers.bundle import Bundle, Runtime
from actium_compute.facts import Facts, Stored, named_ports
from actium_compute.journal import Journal
from actium_compute.plugging import Plugging
from actium_compute.read_model import queries
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.events.amphora import AmphoraConfigurationRefused, AmphoraConfigured
from actium_shared.message import Event
from actium_shared.read_model import Database

log = logging.getLogger(__name__)


class AheadError(RetryableError):
    """The agent has seen a newer bundle."""


class Configuring:
    """Each method may be repeated after a crash at any point."""

    def __init__(
        self,
        *,
        driver: AmphoraDriver,
        agents: Agents,
        plugging: Plugging,
        journal: Journal,
        database: Database,
        acquaintances: Acquaintances,
    ) -> None:
        self._driver = driver
        self._agents = agents
        self._plugging = plugging
        self._journal = journal
        self._database = database
        self._acquaintances = acquaintances

    async def configure(self, facts: Facts, wish: Stored[ConfigureAmphora]) -> None:
        """
        Make the amphora run the wish, or find that it never will, and record which.

        Raises:
            RetryableError: neither is known yet.
        """
        event = await self.push(facts, wish)
        await self._journal.append(facts, event, order_id=wish.order.order_id)

    async def push(self, facts: Facts, wish: Stored[ConfigureAmphora]) -> Event:
        """As `configure`, but give the event instead of recording it."""
        try:
            bundle = self._render(facts, wish.order)
            await self._plugging.plug(facts, named_ports(wish.order))
            answer = await self.agent(facts).configure(bundle)
        except PermanentError as exc:
            log.warning("configuration impossible", extra={"amphora": facts.amphora_id, "error": str(exc)})
            return _refused(facts, wish.order, str(exc))
        match answer:
            case Refused(reason=reason):
                return _refused(facts, wish.order, reason)
            case Outdated(reason=reason):
                # Whoever numbers bundles will find that this one's time is over, and cut a newer one.
                raise AheadError(f"agent of {facts.amphora_id} is ahead of bundle {wish.order.bundle}: {reason}")
            case Applied():
                return await self._applied(facts, wish, answer)

    async def check(self, facts: Facts, target: Stored[ConfigureAmphora]) -> None:
        """
        See whether a machine that we find running runs what it should, and see to it.

        Raises:
            RetryableError: its agent does not answer, or it is not known to run `target` yet.
        """
        acquaintance = self._acquaintances.of(facts.amphora_id)
        agent = self.agent(facts)
        status = await agent.status()
        if agent.certificate_expires_at != facts.certificate_expires_at:
            acquaintance.runs = False  # we were killed between booting it again and saying so: boot finds it running
            acquaintance.rebooted()
            return
        if status.digest != self._digest(facts, target.order, otherwise=status.digest):
            log.info("runs something else", extra={"amphora": facts.amphora_id, "digest": status.digest})
            await self._replace(facts, target)
        acquaintance.checked = True

    def agent(self, facts: Facts) -> AgentClient:
        address = facts.management_address
        if address is None and facts.boot is not None:
            address = facts.ports[facts.boot.order.management_port_id].address
        if address is None:
            raise RetryableError(f"amphora {facts.amphora_id} has no known address")
        return self._agents.of(facts.amphora_id, address)

    async def _replace(self, facts: Facts, target: Stored[ConfigureAmphora]) -> None:
        try:
            await self.configure(facts, target)
        except AheadError as exc:
            # Its wish is not in our tables: whoever sent it will send the next one, too.
            log.info("left as it is", extra={"amphora": facts.amphora_id, "error": str(exc)})

    def _digest(self, facts: Facts, order: ConfigureAmphora, *, otherwise: str | None) -> str | None:
        try:
            return self._driver.render(order, facts.ports).digest
        except PermanentError:
            return otherwise  # an older version of ours could express it: it stays as it is

    def _render(self, facts: Facts, order: ConfigureAmphora) -> Bundle:
        bundle = self._driver.render(order, facts.ports)
        in_force = facts.applied.order if facts.applied else None
        if in_force is None or facts.digest is None or in_force.bundle != facts.configured_bundle:
            return bundle
        commands = self._driver.runtime_commands(in_force, order, facts.ports)
        if not commands:
            return bundle
        return msgspec.structs.replace(bundle, runtime=Runtime(base=facts.digest, commands=commands))

    async def _applied(self, facts: Facts, wish: Stored[ConfigureAmphora], answer: Applied) -> AmphoraConfigured:
        await self._database.write(lambda connection: queries.put_applied(connection, wish))
        self._acquaintances.of(facts.amphora_id).checked = True
        await self._plugging.unplug_all_but(facts, named_ports(wish.order))
        return AmphoraConfigured(
            amphora_id=facts.amphora_id,
            appliance_id=facts.appliance_id,
            bundle=wish.order.bundle,
            digest=answer.digest,
            result=answer.result,
            took_ms=answer.took_ms,
        )


def _refused(facts: Facts, order: ConfigureAmphora, reason: str) -> AmphoraConfigurationRefused:
    return AmphoraConfigurationRefused(
        amphora_id=facts.amphora_id, appliance_id=facts.appliance_id, bundle=order.bundle, reason=reason
    )
