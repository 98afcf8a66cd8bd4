"""What deciding gives."""

from collections.abc import Sequence

from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.message import Rejected

Decision = Sequence[LoadBalancerEvent] | Rejected
"""What happens, in one commit; nothing where the wish is true already."""
