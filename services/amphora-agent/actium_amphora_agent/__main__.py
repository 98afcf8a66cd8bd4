"""`python -m actium_amphora_agent`, as the amphora's init starts it."""

import sys

from actium_amphora_agent.main import main

if __name__ == "__main__":
    sys.exit(main())
