"""What operators ask: the log decoded, stories of load balancers, how services do. Reads the bus, never the read model."""

from actium_api.operator.routes import router

__all__ = ["router"]
