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
from actium_shared.errors import PermanentError
from actium_shared.events.load_balancer import ChangeProposed, ProposalLapsed, ProposalSettled
from actium_shared.proposals import PackedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProposal:
    id: str
    provider: str
    command: LoadBalancerCommand


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


def find(connection: sa.Connection, proposal_id: str) -> OpenProposal | None:
    """Give a proposal that waits for its driver's answer."""
    query = statements.select(PROPOSALS.c.id, False)
    found = connection.execute(query, {"key": proposal_id}).mappings().one_or_none()
    return None if found is None or found["lapsed"] else _proposal(found)


def lapsed(connection: sa.Connection) -> Sequence[OpenProposal]:
    """Give what is to be undone."""
    query = sa.select(PROPOSALS).where(PROPOSALS.c.lapsed).order_by(PROPOSALS.c.id)
    return [_proposal(found) for found in connection.execute(query).mappings()]


def naming(connection: sa.Connection, object_id: str) -> str | None:
    """Give the load balancer whose open proposal speaks of this object; few are open at a time."""
    query = sa.select(PROPOSALS.c.load_balancer_id, PROPOSALS.c.command).where(~PROPOSALS.c.lapsed)
    wanted = object_id.encode()
    return next((str(lb_id) for lb_id, command in connection.execute(query) if wanted in command), None)


def _proposal(found: sa.RowMapping) -> OpenProposal:
    command = CODEC.unpack(msgspec.msgpack.decode(found["command"], type=PackedCommand))
    if not isinstance(command, LoadBalancerCommand):
        raise PermanentError(f"{command.TYPE} was proposed, which is no wish for a load balancer")
    return OpenProposal(id=found["id"], provider=found["provider"], command=command)
