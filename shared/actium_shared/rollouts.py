"""Which amphorae a rollout is about, and what it orders for each. Values of commands and events; field names are storage."""

from datetime import datetime

from actium_shared.ids import AmphoraId, ApplianceId
from actium_shared.wishes import Value


class Selection(Value, frozen=True, kw_only=True):
    """
    All that is given must hold: runs this image, or any but that one; certificate or age; driver; flavor.

    `booted_before`: for the first time, so it is about how long ago the machine was made.
    """

    image_tag: str | None = None
    not_image_tag: str | None = None
    certificate_expires_before: datetime | None = None
    booted_before: datetime | None = None
    driver: str | None = None
    flavor_id: str | None = None


class Replacement(Value, frozen=True, kw_only=True):
    """
    One amphora that shall be replaced, and the image that its successor boots from; `from_image_tag` is what it runs.

    Of a spare, `appliance_id` is its pool's, whose image is the flavor's or the site's to choose.
    """

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    image_tag: str
    from_image_tag: str
