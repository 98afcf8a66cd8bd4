"""
What a caller may. The rules are in `rules`, their evaluation in `rule_policy`, which action a request needs in `needs`.
"""

from typing import Protocol

from actium_api.access.callers import Identity


class Policy(Protocol):
    """Says yes or no."""

    def allows(self, identity: Identity, action: str, project_id: str | None) -> bool:
        """Say whether somebody may do this to something of that project; None: it is of no project."""
        ...


class EverythingGoes:
    """The policy of `none`: there is nobody but administrators."""

    def allows(self, identity: Identity, action: str, project_id: str | None) -> bool:  # noqa: ARG002
        return True
