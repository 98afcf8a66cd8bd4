"""`python -m actium_health`: the health service. Its relay is `python -m actium_health.relay`."""

from actium_health.main import main
from actium_health.settings import HealthSettings
from actium_shared.service import start

if __name__ == "__main__":
    start("health", HealthSettings, main)
