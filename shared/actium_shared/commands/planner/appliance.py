"""What operators ask of the planner about single amphorae; for a spare, the appliance is its pool."""

from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId
from actium_shared.message import Command


class ApplianceCommand(Command, frozen=True, kw_only=True):
    """Base of this module's commands."""

    SERVICE: ClassVar[str] = "planner"
    TARGET: ClassVar[str] = "appliance_id"

    appliance_id: ApplianceId
    amphora_id: AmphoraId


class FailOverAmphora(ApplianceCommand, frozen=True, kw_only=True):
    """Have it replaced, without loss of traffic as far as it still serves."""

    TYPE: ClassVar[str] = "appliance.fail-over-amphora"


class RemoveAmphora(ApplianceCommand, frozen=True, kw_only=True):
    """Have it gone at once. What it carried is carried by another as soon as there is one."""

    TYPE: ClassVar[str] = "appliance.remove-amphora"


class ReconfigureAmphora(ApplianceCommand, frozen=True, kw_only=True):
    """Have its whole configuration sent again."""

    TYPE: ClassVar[str] = "appliance.reconfigure-amphora"


COMMANDS = (FailOverAmphora, RemoveAmphora, ReconfigureAmphora)
