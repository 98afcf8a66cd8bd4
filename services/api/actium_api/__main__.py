"""`python -m actium_api`: be the process."""

from actium_api.main import main
from actium_api.settings import ApiSettings
from actium_shared.service import start

if __name__ == "__main__":
    start("api", ApiSettings, main)
