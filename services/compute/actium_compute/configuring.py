"""Making an amphora run a configuration: plug in what it needs, render, push, unplug what it needs no more."""

import logging

import msgspec

from actium_compute.acquaintance import Acquaintances
from actium_compute.agents import Agent, Agents, AgentStatus, Applied, Outdated, Refused
from actium_compute.amphora_drivers import AmphoraDriver, Drivers, RenderError
from actium_compute.amphora_drivers.bundle import Bundle, Runtime
from actium_compute.facts import Facts, Stored, own_ports
from actium_compute.journal import Journal
from actium_compute.log_store import LogStore
from actium_compute.plugging import Plugging
from actium_compute.read_model import queries
from actium_compute.secret_use import Secrets
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.events.amphora import AmphoraConfigurationRefused, AmphoraConfigured, AmphoraDrifted
from actium_shared.ids import LoadBalancerId
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
        drivers: Drivers,
        agents: Agents,
        plugging: Plugging,
        secrets: Secrets,
        log_store: LogStore,
        journal: Journal,
        database: Database,
        acquaintances: Acquaintances,
    ) -> None:
        self._drivers = drivers
        self._agents = agents
        self._plugging = plugging
        self._secrets = secrets
        self._log_store = log_store
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
        async with self._acquaintances.of(facts.amphora_id).turn:
            return await self._push(facts, wish)

    async def prepare(self, facts: Facts, order: ConfigureAmphora) -> Bundle:
        """
        Plug in what the order needs, and give what `push` would push.

        Raises:
            RetryableError: not yet.
            PermanentError: it cannot be expressed.
        """
        async with self._acquaintances.of(facts.amphora_id).turn:
            bundle = await self._render(facts, order)
            await self._plugging.plug(facts, own_ports(order))
            return bundle

    async def record_pulled(
        self, facts: Facts, wish: Stored[ConfigureAmphora], answer: Applied | Refused, *, before: str
    ) -> bool:
        """
        Record what became of a wish that the agent fetched; False where that is not what it should run by now.

        `before` is the digest that it ran until then. What is on the log already is not recorded again, unless the agent
        had lost it.

        Raises:
            RetryableError, VersionConflictError: as `Journal.append`.
        """
        acquaintance = self._acquaintances.of(facts.amphora_id)
        async with acquaintance.turn:
            if isinstance(answer, Refused):
                if wish.order.bundle > facts.settled_bundle:
                    event = _refused(facts, wish.order, answer.reason)
                    await self._journal.append(facts, event, order_id=wish.order.order_id)
                return True
            secrets_changed = acquaintance.secrets_changed
            if await self._digest(facts, wish.order) != answer.digest:
                return False
            configured = await self._applied(facts, wish, answer, secrets_changed=secrets_changed)
            known = (facts.configured_bundle, facts.digest) == (wish.order.bundle, answer.digest)
            if known and answer.result == "unchanged":
                return True
            lost = (_drifted(facts, found=before, reason=""),) if known and before != answer.digest else ()
            await self._journal.append(facts, *lost, configured, order_id=wish.order.order_id)
            return True

    async def _push(self, facts: Facts, wish: Stored[ConfigureAmphora]) -> Event:
        secrets_changed = self._acquaintances.of(facts.amphora_id).secrets_changed
        try:
            bundle = await self._render(facts, wish.order)
            await self._plugging.plug(facts, own_ports(wish.order))
            answer = await self.agent(facts).configure(bundle)
        except PermanentError as exc:
            log.warning("configuration impossible", extra={"amphora": facts.amphora_id, "error": str(exc)})
            return _refused(facts, wish.order, str(exc), culprits=await self._culprits(facts, wish.order))
        match answer:
            case Refused(reason=reason):
                return _refused(facts, wish.order, reason)
            case Outdated(reason=reason):
                # Whoever numbers bundles will find that this one's time is over, and cut a newer one.
                raise AheadError(f"agent of {facts.amphora_id} is ahead of bundle {wish.order.bundle}: {reason}")
            case Applied():
                return await self._applied(facts, wish, answer, secrets_changed=secrets_changed)

    async def check(self, facts: Facts, target: Stored[ConfigureAmphora]) -> None:
        """
        See whether a machine that runs already runs what it should, and see to it.

        Where it says that it runs what we know to be right, that is all. What it came to run by itself is on the log.

        Raises:
            RetryableError: its agent or the secret store does not answer, or it is not known to run `target` yet.
        """
        acquaintance = self._acquaintances.of(facts.amphora_id)
        secrets_changed = acquaintance.secrets_changed
        agent = self.agent(facts)
        status = await agent.status()
        if agent.certificate_expires_at != facts.certificate_expires_at:
            acquaintance.runs = False  # we were killed between booting it again and saying so: boot finds it running
            acquaintance.rebooted()
            return
        is_as_recorded = status.drift is None and status.digest == facts.digest
        if not (is_as_recorded and acquaintance.proven == self._proof(facts, status.digest)):
            await self._compare(facts, target, status)
        acquaintance.note_checked(secrets_changed=secrets_changed)

    def agent(self, facts: Facts) -> Agent:
        address = facts.management_address
        if address is None and facts.boot is not None:
            address = facts.ports[facts.boot.order.management_port_id].address
        if address is None:
            raise RetryableError(f"amphora {facts.amphora_id} has no known address")
        return self._agents.of(facts.amphora_id, address)

    async def _compare(self, facts: Facts, target: Stored[ConfigureAmphora], status: AgentStatus) -> None:
        wanted = await self._digest(facts, target.order)
        if wanted is None:
            return
        if status.digest == facts.digest == wanted and (
            status.drift is None or facts.refused_bundle == target.order.bundle
        ):
            self._acquaintances.of(facts.amphora_id).proven = self._proof(facts, wanted)
            return
        # The log may lag behind the agent: it took what a changed secret led to, and we were killed before we said so.
        drifted = _drift(facts, status, wanted)
        log.info("runs something else", extra={"amphora": facts.amphora_id, "digest": status.digest})
        await self._replace(facts, target, drifted)

    async def _replace(self, facts: Facts, target: Stored[ConfigureAmphora], drifted: tuple[Event, ...]) -> None:
        try:
            event = await self.push(facts, target)
            await self._journal.append(facts, *drifted, event, order_id=target.order.order_id)
        except AheadError as exc:
            # Its wish is not in our tables: whoever sent it will send the next one, too.
            log.info("left as it is", extra={"amphora": facts.amphora_id, "error": str(exc)})

    async def _digest(self, facts: Facts, order: ConfigureAmphora) -> str | None:
        """Give what the agent should report, None where that cannot be rendered."""
        try:
            return (await self._bundle(facts, order)).digest
        except PermanentError as exc:
            # An older version of ours could, or a secret was deleted since: it stays as it is, until its next change.
            log.info("left as it is", extra={"amphora": facts.amphora_id, "error": str(exc)})
            return None

    def _proof(self, facts: Facts, digest: str | None) -> tuple[str, int] | None:
        # What it was granted of the log store is part of what it runs, and ends one day.
        return None if digest is None else (digest, self._log_store.granted_until(facts.amphora_id))

    async def _bundle(self, facts: Facts, order: ConfigureAmphora) -> Bundle:
        driver = self._drivers.of(order.driver)
        secrets = await self._secrets.of(order, driver.secrets_of(order))
        return driver.render(order, facts.ports, secrets, logs=self._log_store.grant(order))

    async def _culprits(self, facts: Facts, order: ConfigureAmphora) -> tuple[LoadBalancerId, ...]:
        """Give the load balancers whose wishes cannot be expressed, each by itself: their neighbours are not to suffer for it."""
        if len(order.load_balancers) == 1:
            return ()
        found: list[LoadBalancerId] = []
        for wish in order.load_balancers:
            try:
                await self._bundle(facts, msgspec.structs.replace(order, load_balancers=(wish,)))
            except PermanentError:  # its words are in the refusal already, or those of the first of them
                found.append(wish.load_balancer.id)
        return tuple(found)

    async def _render(self, facts: Facts, order: ConfigureAmphora) -> Bundle:
        bundle = await self._bundle(facts, order)
        in_force = facts.applied.order if facts.applied else None
        if in_force is None or facts.digest is None or in_force.bundle != facts.configured_bundle:
            return bundle
        commands = _runtime_commands(self._drivers.of(order.driver), in_force, order, facts)
        if not commands or not await self._is_rendered_so(facts, in_force):
            return bundle
        return msgspec.structs.replace(bundle, runtime=Runtime(base=facts.digest, commands=commands))

    async def _is_rendered_so(self, facts: Facts, in_force: ConfigureAmphora) -> bool:
        """Tell whether what it runs is what we would render: an earlier version of ours may have done it otherwise."""
        proven = self._acquaintances.of(facts.amphora_id).proven
        if proven is not None and proven[0] == facts.digest:
            return True
        return await self._digest(facts, in_force) == facts.digest

    async def _applied(
        self, facts: Facts, wish: Stored[ConfigureAmphora], answer: Applied, *, secrets_changed: int
    ) -> AmphoraConfigured:
        await self._database.write(lambda connection: queries.put_applied(connection, wish))
        acquaintance = self._acquaintances.of(facts.amphora_id)
        acquaintance.proven = self._proof(facts, answer.digest)
        acquaintance.note_checked(secrets_changed=secrets_changed)
        await self._plugging.unplug_all_but(facts, own_ports(wish.order))
        return AmphoraConfigured(
            amphora_id=facts.amphora_id,
            appliance_id=facts.appliance_id,
            bundle=wish.order.bundle,
            digest=answer.digest,
            result=answer.result,
            took_ms=answer.took_ms,
            epoch=wish.order.epoch,
        )


def _runtime_commands(
    driver: AmphoraDriver, before: ConfigureAmphora, after: ConfigureAmphora, facts: Facts
) -> tuple[str, ...] | None:
    if before.driver != after.driver:
        return None
    try:
        return driver.runtime_commands(before, after, facts.ports)
    except RenderError as exc:
        # What was in force can be expressed no more, such as by a port that is gone: there is no way from there.
        log.info("to be reloaded", extra={"amphora": facts.amphora_id, "error": str(exc)})
        return None


def _drift(facts: Facts, status: AgentStatus, wanted: str) -> tuple[Event, ...]:
    """Give the event where it runs neither what the log says nor what it should, and was not given it unrecorded."""
    known = status.digest in (facts.digest, wanted) and status.drift is None
    if known or facts.digest is None or status.bundle > facts.configured_bundle:
        return ()
    return (_drifted(facts, found=status.digest or "", reason=status.drift or ""),)


def _drifted(facts: Facts, *, found: str, reason: str) -> AmphoraDrifted:
    return AmphoraDrifted(
        amphora_id=facts.amphora_id,
        appliance_id=facts.appliance_id,
        bundle=facts.configured_bundle,
        digest=facts.digest or "",
        found=found,
        reason=reason,
    )


def _refused(
    facts: Facts, order: ConfigureAmphora, reason: str, *, culprits: tuple[LoadBalancerId, ...] = ()
) -> AmphoraConfigurationRefused:
    return AmphoraConfigurationRefused(
        amphora_id=facts.amphora_id,
        appliance_id=facts.appliance_id,
        bundle=order.bundle,
        reason=reason,
        load_balancer_ids=culprits,
    )
