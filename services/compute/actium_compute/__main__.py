"""`python -m actium_compute`."""

from actium_compute.main import main
from actium_compute.settings import ComputeSettings
from actium_shared.service import start

if __name__ == "__main__":
    start("compute", ComputeSettings, main)
