"""The one error that this package shows to a person."""


class WorldError(Exception):
    """Ends a command with one clear sentence and exit code 1; nothing half-done is left behind by whoever raises it."""
