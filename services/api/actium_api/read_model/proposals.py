"""What other vendors' drivers are asked about, as rows; it shows nowhere. Kept so that a lapsed proposal can be undone."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.rows import Rows
from actium_api.read_model.tables import PROPOSALS
from actium_shared.codec import CODEC
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.errors import PermanentError, UnreadableError
from actium_shared.events.load_balancer import ChangeProposed, ProposalLapsed, ProposalSettled
from actium_shared.ids import LoadBalancerId
from actium_shared.proposals import PackedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptProposal:
    """One as it is kept: `packed` is for `command`, which says where it cannot be read."""

    id: str
    load_balancer_id: LoadBalancerId
    provider: str
    packed: bytes

    @property
    def command(self) -> LoadBalancerCommand:
        """
        What is proposed.

        Raises:
            PermanentError: that cannot be read.
        """
        try:
            command = CODEC.unpack(msgspec.msgpack.decode(self.packed, type=PackedCommand))
        except (msgspec.DecodeError, UnreadableError) as exc:
            raise PermanentError(f"what was proposed cannot be read: {exc}") from exc
        if not isinstance(command, LoadBalancerCommand):
            raise PermanentError(f"{command.TYPE} was proposed, which is no wish for a load balancer")
        return command


def apply(rows: Rows, event: ChangeProposed | ProposalSettled | ProposalLapsed) -> None:
    match event:
        case ChangeProposed():
            rows.delete(PROPOSALS.c.id, [event.proposal_id])
            values = {
                "id": event.proposal_id,
                "load_balancer_id": event.load_balancer_id,
                "provider": event.provider,
                "command": msgspec.msgpack.encode(event.command),
                "lapsed": False,
            }
            rows.connection.execute(statements.insert(PROPOSALS), values)
        case ProposalSettled():
            rows.delete(PROPOSALS.c.id, [event.proposal_id])
        case ProposalLapsed():
            rows.update(PROPOSALS, event.proposal_id, lapsed=True)


def find(connection: sa.Connection, proposal_id: str) -> KeptProposal | None:
    """Give a proposal that waits for its driver's answer."""
    query = statements.select(PROPOSALS.c.id, False)
    found = connection.execute(query, {"key": proposal_id}).mappings().one_or_none()
    return None if found is None or found["lapsed"] else _proposal(found)


def lapsed(connection: sa.Connection, provider: str) -> Sequence[KeptProposal]:
    """Give what one provider's driver is to undo."""
    mine = sa.select(PROPOSALS).where(PROPOSALS.c.lapsed, PROPOSALS.c.provider == provider)
    return [_proposal(found) for found in connection.execute(mine.order_by(PROPOSALS.c.id)).mappings()]


def is_open(connection: sa.Connection, load_balancer_id: str) -> bool:
    """Say whether a driver is asked about this load balancer right now."""
    query = sa.select(PROPOSALS.c.id).where(PROPOSALS.c.load_balancer_id == load_balancer_id, ~PROPOSALS.c.lapsed)
    return connection.execute(query).first() is not None


def naming(connection: sa.Connection, object_id: str) -> str | None:
    """Give the load balancer whose proposal speaks of this object; few are open or lapsed at a time."""
    query = sa.select(PROPOSALS.c.load_balancer_id, PROPOSALS.c.command)
    wanted = object_id.encode()
    return next((str(lb_id) for lb_id, command in connection.execute(query) if wanted in command), None)


def _proposal(found: sa.RowMapping) -> KeptProposal:
    return KeptProposal(
        id=found["id"],
        load_balancer_id=LoadBalancerId(found["load_balancer_id"]),
        provider=found["provider"],
        packed=found["command"],
    )
