"""Compute's worlds: `namespaces` (amphorae on this machine), `memory` (accepts everything), plain management sockets."""
