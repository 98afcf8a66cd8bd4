"""`python -m actium_embedded`, which `./actium` hands over to."""

from actium_embedded.cli import main

main()
