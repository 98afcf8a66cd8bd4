"""`python -m actium_network`: be the network service."""

from actium_network.main import main
from actium_network.settings import NetworkSettings
from actium_shared.service import start

if __name__ == "__main__":
    start("network", NetworkSettings, main)
