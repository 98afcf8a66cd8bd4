"""Quotas as operators send them."""

from typing import Annotated

from pydantic import Field

from actium_api.faults import Fault
from actium_api.read_model.catalogue_documents import OLD_SPELLINGS
from actium_api.schemas.fields import Body, Whole
from actium_shared.quotas import MOST, RESOURCES, UNLIMITED

Limit = Annotated[Whole, Field(ge=UNLIMITED, le=MOST)] | None


class QuotaPut(Body):
    """Null is the site's default again."""

    loadbalancer: Limit = None
    load_balancer: Limit = None
    listener: Limit = None
    member: Limit = None
    pool: Limit = None
    healthmonitor: Limit = None
    health_monitor: Limit = None
    l7policy: Limit = None
    l7rule: Limit = None

    def limits(self) -> dict[str, int | None]:
        """
        Give the limits that were sent, by resource.

        Raises:
            Fault: the two spellings of one resource say different things.
        """
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        for old, new in OLD_SPELLINGS.items():
            if old in sent and sent[old] != sent.setdefault(new, sent[old]):
                raise Fault(400, f"{new} and {old} are the same limit: send one of them, or the same value.")
        return {resource: sent[resource] for resource in RESOURCES if resource in sent}
