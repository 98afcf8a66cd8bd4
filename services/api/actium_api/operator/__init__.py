"""
What operators ask: the log decoded, stories of load balancers, how services do; and secrets, which they also put and delete.

Reads the bus, never the read model, but for the list of secrets.
"""

from actium_api.operator.routes import router

__all__ = ["router"]
