"""`python -m actium_api.cli`, which `./actium` hands unknown words to."""

from actium_api.cli.app import main

main()
