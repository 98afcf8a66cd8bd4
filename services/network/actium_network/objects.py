"""Security groups and QoS policies: whether the world has what is named."""

from actium_network.ports import NetworkDriver, ObjectKind
from actium_shared.commands.network import FindNetworkObjects
from actium_shared.message import Accepted, Position, Reason, Rejected

TIMEOUT_S = 5.0
WORDS: dict[ObjectKind, str] = {"security group": "Security Group", "QoS policy": "QoS Policy"}


async def find(command: FindNetworkObjects, driver: NetworkDriver, *, position: Position) -> Accepted | Rejected:
    """
    Refuse the first thing that is named and not there.

    Raises:
        RetryableError: the world does not answer, so nobody knows.
    """
    for group_id in command.security_group_ids:
        if not await driver.has_object("security group", group_id, timeout_s=TIMEOUT_S):
            return _refusal("security group", group_id, field="vip_sg_ids")
    policy_id = command.qos_policy_id
    if policy_id is not None and not await driver.has_object("QoS policy", policy_id, timeout_s=TIMEOUT_S):
        return _refusal("QoS policy", policy_id, field="vip_qos_policy_id")
    return Accepted(position=position)


def _refusal(kind: ObjectKind, object_id: str, *, field: str) -> Rejected:
    return Rejected(reason=Reason.INVALID, detail=f"{WORDS[kind]} {object_id} not found.", field=field)
