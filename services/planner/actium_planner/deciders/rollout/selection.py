"""Which amphorae a rollout is about. Pure."""

from dataclasses import dataclass
from datetime import datetime

from actium_shared.ids import AmphoraId, ApplianceId
from actium_shared.rollouts import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """
    One amphora as rollouts see it; of a spare, `appliance_id` is its pool's.

    `next_image_tag`: what one that came in its place would boot from if nobody said otherwise. `there`: it is in service,
    and can be replaced. `master`: it has the VIPs of a pair.
    """

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    image_tag: str
    next_image_tag: str
    driver: str
    flavor_id: str | None = None
    booted_at: datetime | None = None
    certificate_expires_at: datetime | None = None
    there: bool = True
    master: bool = False
    spare: bool = False


def target(one: Running, to_image_tag: str | None) -> str:
    """Give the image that its successor boots from; a pool's is the flavor's or the site's to choose."""
    return one.next_image_tag if one.spare else to_image_tag or one.next_image_tag


def wanted(selection: Selection, one: Running, *, to_image_tag: str | None, since: datetime) -> bool:
    """Say whether a rollout since then has this one replaced: it matches, and it is none that the rollout has brought."""
    image_tag = target(one, to_image_tag)
    if one.image_tag == image_tag:
        renewed = one.booted_at is None or one.booted_at >= since
        return not renewed and _is_about_time(selection) and matches(selection, one)
    return matches(selection, one)


def matches(selection: Selection, one: Running) -> bool:
    """Say whether all that is given holds; of what has not booted only image, driver and flavor are known."""
    return (
        selection.image_tag in (None, one.image_tag)
        and selection.not_image_tag != one.image_tag
        and selection.driver in (None, one.driver)
        and selection.flavor_id in (None, one.flavor_id)
        and _is_before(one.certificate_expires_at, selection.certificate_expires_before)
        and _is_before(one.booted_at, selection.booted_before)
    )


def _is_before(at: datetime | None, limit: datetime | None) -> bool:
    return limit is None or (at is not None and at < limit)


def _is_about_time(selection: Selection) -> bool:
    """Say whether one of the same image can be what is wanted."""
    return selection.certificate_expires_before is not None or selection.booted_before is not None


def overlap(one: Selection, other: Selection) -> bool:
    """Say whether an amphora could be of both."""
    same = all(
        getattr(one, name) is None or getattr(other, name) is None or getattr(one, name) == getattr(other, name)
        for name in ("image_tag", "driver", "flavor_id")
    )
    excluded = any(a.image_tag is not None and a.image_tag == b.not_image_tag for a, b in ((one, other), (other, one)))
    return same and not excluded


def is_empty(selection: Selection) -> bool:
    return selection == Selection()
