"""What the bodies have in common by which operators settle what is on offer."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from actium_api.schemas.fields import Body


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Value should be a string that holds a JSON object")  # noqa: TRY004
    return value


ProfileData = Annotated[str, BeforeValidator(_text), Field(max_length=4096)]
"""A JSON document inside a string; what stands in it is the provider's business."""


class SitePut(Body):
    """A change. A description can be emptied; there is nothing that null could mean for the rest."""

    NULL_MEANS: ClassVar[Mapping[str, object]] = {"description": ""}

    def sent(self) -> dict[str, Any]:
        """Give the fields that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}
