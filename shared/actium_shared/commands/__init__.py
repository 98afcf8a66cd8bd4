"""All commands that can be asked, one module per receiving service; `COMMANDS` is the catalogue."""

from actium_shared.commands import compute, dead_letters, health, network, planner
from actium_shared.message import Accepted, Rejected

COMMANDS = (*planner.COMMANDS, *compute.COMMANDS, *network.COMMANDS, *health.COMMANDS, *dead_letters.COMMANDS)
REPLIES = (Accepted, Rejected, *compute.REPLIES, *network.REPLIES, *health.REPLIES)
