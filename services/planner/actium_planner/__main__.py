"""The planner's process."""

from actium_planner.main import main
from actium_planner.settings import PlannerSettings
from actium_shared.service import start

start("planner", PlannerSettings, main)
