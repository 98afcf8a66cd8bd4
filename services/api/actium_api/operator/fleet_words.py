"""Events of appliances, amphorae and spares in words, and what health says of them. Pure."""

from actium_api.operator.short import elsewhere, short
from actium_shared.events import amphora, appliance, health, spares
from actium_shared.message import Event


def of_fleet(event: Event) -> str:
    return (
        _of_appliance(event)
        or _of_members(event)
        or _of_bundles(event)
        or _of_spares(event)
        or _of_amphora(event)
        or _of_liveness(event)
    )


def _of_appliance(event: Event) -> str:
    match event:
        case appliance.ApplianceCreated(topology=topology, image_tag=image_tag):
            return f"{topology}, image {image_tag}"
        case appliance.LoadBalancerAdmitted(load_balancer_id=admitted):
            return f"will carry load balancer {short(admitted)}"
        case appliance.LoadBalancerReleased(load_balancer_id=released):
            return f"carries load balancer {short(released)} no more"
        case appliance.SpareSought(spares_id=pool_id, search=search, role=role, avoid_hosts=avoided):
            where = elsewhere(avoided)
            return f"pool {short(pool_id)} is asked for a spare to be {role}{where}, search {search}"
        case appliance.SpareSearchEnded(search=search, answered=True):
            return f"search {search} for a spare has its answer"
        case appliance.SpareSearchEnded(search=search, reason=reason):
            return f"search {search} for a spare is waited for no longer" + (f": {reason}" if reason else "")
        case appliance.ImageMoved(image_tag=image_tag, reason=reason):
            return f"amphorae boot from image {image_tag} from now on: {reason}"
        case appliance.RoutesLaid(routing_addresses=addresses):
            return f"its VIPs are routed to {', '.join(addresses)}" if addresses else "no VIP is routed here any more"
        case appliance.RoutesMissing(reason=reason):
            return f"its VIPs cannot be routed here: {reason}"
        case appliance.ApplianceFailed(reason=reason):
            return f"no amphora could be had: {reason}"
        case appliance.ApplianceRetired():
            return "carries nothing, and nothing of it exists"
        case _:
            return ""


def _of_members(event: Event) -> str:
    """Say what becomes of an appliance's amphorae."""
    match event:
        case appliance.AmphoraAppointed():
            return _appointment(event)
        case appliance.AmphoraJoined(amphora_id=amphora_id, host=host):
            return f"amphora {short(amphora_id)} is in service" + (f" on {host}" if host else "")
        case appliance.AmphoraLeaving(amphora_id=amphora_id, reason=reason):
            return f"amphora {short(amphora_id)} serves until another can take its place: {reason}"
        case appliance.AmphoraStaying(amphora_id=amphora_id, reason=reason):
            return f"amphora {short(amphora_id)} stays after all: {reason}"
        case appliance.ExchangeFailed(holds=holds, reason=reason):
            waited = ", ".join(f"{short(one)} at wish {generation}" for one, generation in holds.items())
            return f"who shall leave serves on, as nobody can take the place: {reason} ({waited or 'nobody'} waited)"
        case appliance.AmphoraYielding(amphora_id=amphora_id, deadline_at=deadline_at):
            return (
                f"amphora {short(amphora_id)} lets its partner be master, by {deadline_at:%H:%M:%S} UTC at the latest"
            )
        case appliance.AmphoraDismissed(amphora_id=amphora_id, reason=reason):
            return f"amphora {short(amphora_id)} shall go: {reason}"
        case appliance.AmphoraFenced(amphora_id=amphora_id):
            return f"amphora {short(amphora_id)} is cut off: another one may take its addresses"
        case appliance.MasterChanged(amphora_id=amphora_id, role=role, deadline_at=deadline_at):
            two = f"; it alone stays if there are two at {deadline_at:%H:%M:%S} UTC" if deadline_at else ""
            return f"amphora {short(amphora_id)} is {role} by its own word{two}"
        case appliance.AmphoraShutDown(amphora_id=amphora_id):
            return f"the machine of amphora {short(amphora_id)} is gone"
        case appliance.AmphoraCleared(amphora_id=amphora_id):
            return f"nothing of amphora {short(amphora_id)} is left"
        case _:
            return ""


def _appointment(event: appliance.AmphoraAppointed) -> str:
    come = f"spare on {event.host} " if event.spare else ""
    instead = f" in place of {short(event.replaces)}" if event.replaces else ""
    counted = f"attempt {event.attempt}" + (f" after {event.losses} losses in a row" if event.losses else "")
    who = f"{come}amphora {short(event.amphora_id)}"
    return f"{who} shall join as {event.role}{instead}{elsewhere(event.avoid_hosts)}, {counted}"


def _of_bundles(event: Event) -> str:
    match event:
        case appliance.BundleCut(bundle=bundle, holds=holds, epoch=epoch, holder=holder):
            held = ", ".join(f"{short(one)} at wish {generation}" for one, generation in holds.items())
            vips = f", the VIPs are on {short(holder)}" if holder else ""
            return f"bundle {bundle}{_epoch(epoch)} holds {held or 'nothing'}{vips}"
        case appliance.PortsTrimmed(amphora_id=amphora_id, revision=revision):
            return f"unneeded ports of amphora {short(amphora_id)} are gone, revision {revision}"
        case appliance.BundleInForce(amphora_id=amphora_id, bundle=bundle, epoch=epoch):
            return f"amphora {short(amphora_id)} runs bundle {bundle}{_epoch(epoch)}"
        case appliance.BundleApplied(bundle=bundle):
            return f"every amphora in service runs bundle {bundle}"
        case appliance.BundleFailed(bundle=bundle, reason=reason, still_serves=still_serves):
            return f"bundle {bundle} is given up{', the one before it serves on' if still_serves else ''}: {reason}"
        case _:
            return ""


def _epoch(epoch: int) -> str:
    """Addresses have changed hands where it is not the first."""
    return f" of epoch {epoch}" if epoch > 1 else ""


def _of_spares(event: Event) -> str:
    match event:
        case spares.SparesSized(size=0):
            return "no spares shall wait here any more"
        case spares.SparesSized(size=size, image_tag=image_tag, availability_zone=zone):
            return f"{size} of image {image_tag} shall wait" + (f" in {zone}" if zone else "")
        case spares.SpareAppointed(amphora_id=amphora_id, avoid_hosts=avoided):
            return f"amphora {short(amphora_id)} shall boot and wait{elsewhere(avoided)}"
        case spares.SpareReady(amphora_id=amphora_id, host=host):
            return f"amphora {short(amphora_id)} waits on {host}"
        case spares.SpareHandedOut(amphora_id=amphora_id, appliance_id=appliance_id, search=search):
            return f"amphora {short(amphora_id)} goes to appliance {short(appliance_id)}, search {search}"
        case spares.HandedOutSpareLost(amphora_id=amphora_id, appliance_id=appliance_id, reason=reason):
            return (
                f"amphora {short(amphora_id)}, handed out to appliance {short(appliance_id)}, does not serve: {reason}"
            )
        case spares.SpareDenied(appliance_id=appliance_id, search=search, reason=reason):
            return f"none for appliance {short(appliance_id)}, search {search}: {reason}"
        case spares.SpareDismissed(amphora_id=amphora_id, reason=reason):
            return f"amphora {short(amphora_id)} shall go: {reason}"
        case spares.SpareShutDown(amphora_id=amphora_id):
            return f"the machine of amphora {short(amphora_id)} is gone"
        case spares.SpareCleared(amphora_id=amphora_id):
            return f"nothing of amphora {short(amphora_id)} is left"
        case spares.SparesFailed(reason=reason, retry_at=retry_at):
            return f"no spare can be had until {retry_at:%H:%M:%S} UTC: {reason}"
        case _:
            return ""


def _of_amphora(event: Event) -> str:
    match event:
        case amphora.AmphoraBooted(host=host, management_address=address, image_tag=image_tag):
            return f"answers at {address}, on {host}, image {image_tag}"
        case amphora.AmphoraBootFailed(reason=reason):
            return f"will not come: {reason}"
        case amphora.AmphoraConfigured(bundle=bundle, result=result, took_ms=took_ms, epoch=epoch):
            return f"runs bundle {bundle}{_epoch(epoch)} ({result}, {took_ms:.0f} ms)"
        case amphora.AmphoraConfigurationRefused(bundle=bundle, reason=reason):
            return f"refuses bundle {bundle}: {reason}"
        case amphora.AmphoraCertificateRenewed(certificate_expires_at=expires_at, heartbeat_key_version=version):
            key = f", and signs with key {version}" if version else ""
            return f"shows a new certificate, good until {expires_at:%Y-%m-%d}{key}"
        case amphora.AmphoraFenced():
            return "is cut off: nothing that it sends arrives anywhere"
        case amphora.AmphoraDrifted(bundle=bundle, found=found, reason=reason):
            why = f": {reason}" if reason else ""
            return f"runs {short(found)} in place of bundle {bundle}, and is configured anew{why}"
        case amphora.AmphoraDeleted():
            return "machine, certificate and key exist no more"
        case amphora.AmphoraStrayRemoved(found=found):
            return f"nobody ordered it, so it was removed: {found}"
        case _:
            return ""


def _of_liveness(event: Event) -> str:
    match event:
        case health.AmphoraLost(reason=reason, last_heard_at=heard_at, host=host):
            return f"is judged lost{_on(host)}, last heard at {heard_at:%H:%M:%S} UTC: {reason}"
        case health.AmphoraLossHeldBack(reason=reason, last_heard_at=heard_at, host=host):
            return f"is silent{_on(host)} since {heard_at:%H:%M:%S} UTC, and not given up: {reason}"
        case health.AmphoraHeardAgain():
            return "is heard again"
        case health.AmphoraRoleChanged(role=role):
            return f"says that it is {role}"
        case _:
            return ""


def _on(host: str) -> str:
    return f" on {host}" if host else ""
