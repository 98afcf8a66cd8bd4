"""
Errors, each named for what the caller does.

    ActiumError
    ├── RetryableError         do it again later: nothing is known to be wrong with the message
    ├── PermanentError         park it: again would fail again
    │   ├── UnreadableError    the bytes cannot be understood by this version
    │   └── TooLargeError      it does not fit into a message: ask for less
    ├── VersionConflictError   reload and decide again
    ├── BrokenStoreError       end the process: its own tables cannot be used, the next start makes them good
    └── SettingsError          stop at start: the message says which setting and what would be right
"""


class ActiumError(Exception):
    """Root of everything that Actium raises on purpose."""


class RetryableError(ActiumError):
    """The same thing may succeed later."""


class PermanentError(ActiumError):
    """The same thing will fail again; a person has to look."""


class UnreadableError(PermanentError):
    """A message's type, version or shape is unknown here."""


class TooLargeError(PermanentError):
    """It does not fit into one message of the bus."""


class VersionConflictError(ActiumError):
    """Somebody appended to this aggregate first."""


class BrokenStoreError(ActiumError):
    """The service's own database cannot be used; a start brings it to the right schema and catches up."""


class SettingsError(ActiumError):
    """The process cannot start as it is configured."""
