"""
Who serves load balancers: Actium's own driver, and those of other vendors that were written against octavia-lib.

Routes hand Python objects to a `Driver` and know no more. `host` loads drivers by entry point; `actium` has the planner
decide at once; `vendor` asks a vendor's driver first; `agent` is where those report.
"""

from actium_api.drivers.driver import NO_ADDRESS, Driver, NewLoadBalancer
from actium_api.drivers.host import Drivers, load
from actium_api.drivers.loops import attach

__all__ = ["NO_ADDRESS", "Driver", "Drivers", "NewLoadBalancer", "attach", "load"]
