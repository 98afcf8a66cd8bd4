"""What happens to rollouts, in words for people. Pure."""

from actium_api.operator.short import short
from actium_shared.events import rollout
from actium_shared.message import Event
from actium_shared.rollouts import Selection


def of_rollout(event: Event) -> str:
    """Say what happened; nothing about other things' events."""
    match event:
        case rollout.RolloutStarted(selection=selection, matching=matching, wave_size=size):
            target = f" by image {event.to_image_tag}" if event.to_image_tag else ""
            return f"{matching} shall be replaced{target}, {size} at a time: {selected(selection)}"
        case rollout.ReplacementsOrdered(wave=wave, replacements=ordered, left=left):
            going = ", ".join(f"{short(each.amphora_id)} by image {each.image_tag}" for each in ordered)
            return f"wave {wave} replaces {going}; {left} left after it"
        case rollout.AmphoraReplaced(amphora_id=amphora_id):
            return f"amphora {short(amphora_id)} is replaced"
        case rollout.ReplacementFailed(amphora_id=amphora_id, reason=reason):
            return f"amphora {short(amphora_id)} could not be replaced: {reason}"
        case rollout.WaveEnded(wave=wave, next_at=next_at):
            return f"wave {wave} is done, the next begins at {next_at:%H:%M:%S} UTC at the earliest"
        case rollout.RolloutPaused(reason=reason):
            return f"no other wave begins: {reason}"
        case rollout.RolloutResumed():
            return "goes on"
        case rollout.RolloutAborted(reason=reason):
            return f"ends with what is under way: {reason}"
        case rollout.RolloutEnded(left=left):
            return "has ended" + (f"; {left} still match" if left else "")
        case _:
            return ""


def selected(selection: Selection) -> str:
    """Say which amphorae are meant."""
    expires, booted = selection.certificate_expires_before, selection.booted_before
    parts = (
        selection.image_tag and f"image {selection.image_tag}",
        selection.not_image_tag and f"any image but {selection.not_image_tag}",
        expires and f"certificate ends before {expires:%Y-%m-%d %H:%M:%S}",
        booted and f"booted before {booted:%Y-%m-%d %H:%M:%S}",
        selection.driver and f"driver {selection.driver}",
        selection.flavor_id and f"flavor {short(selection.flavor_id)}",
    )
    return ", ".join(part for part in parts if part)
