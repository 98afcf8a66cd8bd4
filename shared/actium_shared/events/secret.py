"""
What happens to secrets: written by compute, which alone reads what is in them. Here are only references and digests.

Field names are the storage format.
"""

from datetime import datetime
from typing import ClassVar

from actium_shared.ids import ProjectId, SecretRef
from actium_shared.message import Event


class SecretEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events."""

    secret_ref: SecretRef


class SecretStored(SecretEvent, frozen=True, kw_only=True):
    """
    Stored for the first time, or with new content. `kind`: certificate, ca or crl.

    `digest` is a keyed one of the content: it shows a change and gives nothing away. `expires_at`: when the certificate
    ends, the first of a bundle's authorities, or when the next CRL is due.
    """

    TYPE: ClassVar[str] = "secret.stored"

    project_id: ProjectId
    name: str
    kind: str
    digest: str
    expires_at: datetime | None = None


class SecretDeleted(SecretEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "secret.deleted"


EVENTS = (SecretStored, SecretDeleted)
