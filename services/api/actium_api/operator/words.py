"""Events, causes and actors in words for people: what happened, why, and on whose behalf. Pure."""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from actium_api.operator.catalogue_words import of_catalogue
from actium_api.operator.fleet_words import of_fleet
from actium_api.operator.rollout_words import of_rollout
from actium_api.operator.short import SHORT_ID_LENGTH, named, short
from actium_shared.events import authority, dead_letter, health, load_balancer, network, secret
from actium_shared.message import Actor, Cause, ClockCause, Command, CommandCause, Event, EventCause, Order, WorkCause
from actium_shared.proposals import ObjectStatus
from actium_shared.wishes import L7Policy, L7Rule

SHORT_REQUEST_LENGTH = len("req-") + SHORT_ID_LENGTH


def what(event: Event, cause: Cause) -> str:
    """Say what happened; of an update, what was asked to change."""
    if isinstance(cause, CommandCause) and event.TYPE.endswith(".updated"):
        changed = _changes(cause.command)
        if changed:
            return changed
    return (
        _of_load_balancer(event)
        or _of_children(event)
        or _of_l7(event)
        or of_fleet(event)
        or of_rollout(event)
        or _of_network(event)
        or _of_health(event)
        or _of_secret(event)
        or _of_authority(event)
        or _of_dead_letter(event)
        or of_catalogue(event)
        or fields(event)
    )


def why(cause: Cause) -> str:
    match cause:
        case CommandCause(command=Order() as order):
            return f"order {shortened(order.order_id)}"
        case CommandCause(command=command):
            return f"asked: {command.TYPE}"
        case EventCause(position=position, event_types=types):
            followed = f"follows {position.stream}:{position.sequence}"
            return f"{followed} ({', '.join(types)})" if types else followed
        case ClockCause(deadline=deadline):
            return f"deadline of {deadline:%H:%M:%S} UTC lapsed"
        case WorkCause(order_id=order_id):
            return f"outcome of {shortened(order_id)}"
        case _:
            assert_never(cause)


def who(actor: Actor | None) -> str:
    if actor is None:
        return "actium"
    project = f" of project {short(actor.project_id)}" if actor.project_id else ""
    return f"{actor.user_id or 'somebody'}{project} in {actor.request_id[:SHORT_REQUEST_LENGTH]}"


def shortened(order_id: str) -> str:
    """Give an id like `<type>/<target>/<generation>` with the ids in it short."""
    kind, *rest = order_id.split("/")
    return "/".join(part for part in (kind, *map(short, rest)) if part)


def fields(event: Event) -> str:
    """Say an event's plain fields, for those that have no words of their own."""
    return ", ".join(f"{name}={value}" for name, value in msgspec.to_builtins(event).items() if value is not None)


def _changes(command: Command) -> str:
    changes = getattr(command, "changes", None)
    if changes is None:
        return ""
    sent = ((name, msgspec.json.encode(value).decode()) for name, value in msgspec.to_builtins(changes).items())
    return ", ".join(f"{name} = {value}" for name, value in sent)


def _of_load_balancer(event: Event) -> str:
    match event:
        case (
            load_balancer.LoadBalancerCreated(load_balancer=one) | load_balancer.LoadBalancerUpdated(load_balancer=one)
        ):
            return f"{named(one.name)}at {one.vip.address}, provider {one.provider}"
        case load_balancer.LoadBalancerDeletionRequested():
            return "shall be deleted with all its children"
        case load_balancer.LoadBalancerDeletionDelayed(reason=reason):
            return f"the deletion takes too long, and goes on: {reason}"
        case load_balancer.LoadBalancerDeleted():
            return "nothing of it exists any more"
        case load_balancer.LoadBalancerPlaced(appliance_id=appliance_id):
            return f"appliance {short(appliance_id)} carries it"
        case load_balancer.LoadBalancerWithdrawn():
            return "no appliance carries it any more"
        case load_balancer.RoundBegun(generation=generation):
            return f"wishes up to {generation} are on their way"
        case load_balancer.RoundEnded(generation=generation):
            return f"wishes up to {generation} serve"
        case load_balancer.RoundFailed(generation=generation, reason=reason):
            return f"wishes up to {generation} could not be applied: {reason}"
        case load_balancer.LoadBalancerFailoverRequested():
            return "what carries it shall be exchanged"
        case load_balancer.LoadBalancerSettled(reason=reason):
            return f"waits for nothing any more, on an operator's word: {reason}"
        case load_balancer.LoadBalancerDrilled():
            return _drill(event)
        case _:
            return _of_vendors(event)


def _drill(event: load_balancer.LoadBalancerDrilled) -> str:
    asked = f"{event.probes} requests, one each {event.interval_ms:g} ms, {event.failed} of them without a good answer"
    return f"a drill ({event.kind}) interrupted traffic for {event.gap_ms:.0f} ms: {asked}"


def _of_vendors(event: Event) -> str:
    match event:
        case load_balancer.ChangeProposed(provider=provider, command=command):
            return f"{command.type} is proposed to provider {provider}"
        case load_balancer.ProposalSettled(accepted=True):
            return "the provider took what was proposed"
        case load_balancer.ProposalSettled(reason=reason):
            return f"what was proposed is dropped: {reason}"
        case load_balancer.ProposalLapsed(reason=reason):
            return f"what was proposed lapsed, and is to be undone: {reason}"
        case load_balancer.ProviderFailed(reason=reason):
            return f"shown as ERROR: {reason}"
        case load_balancer.StatusReported(statuses=statuses):
            return f"the provider reports {_statuses(statuses)}"
        case load_balancer.ReportKept(statuses=statuses):
            return f"the provider reports, to count when what it was asked is settled: {_statuses(statuses)}"
        case _:
            return ""


def _statuses(statuses: Iterable[ObjectStatus]) -> str:
    return ", ".join(
        f"{each.kind} {short(each.id)} "
        + "/".join(word for word in (each.provisioning_status, each.operating_status) if word)
        for each in statuses
    )


def _of_children(event: Event) -> str:
    match event:
        case load_balancer.ListenerCreated(listener=one) | load_balancer.ListenerUpdated(listener=one):
            pool = f", to pool {short(one.default_pool_id)}" if one.default_pool_id else ""
            return f"{named(one.name)}{one.protocol} on port {one.protocol_port}{pool}"
        case load_balancer.PoolCreated(pool=one) | load_balancer.PoolUpdated(pool=one):
            return f"{named(one.name)}{one.protocol}, {one.lb_algorithm}"
        case (
            load_balancer.MemberCreated(member=one, pool_id=pool_id)
            | load_balancer.MemberUpdated(member=one, pool_id=pool_id)
        ):
            where = f"{one.address}:{one.protocol_port}"
            return f"{named(one.name)}{where}, weight {one.weight}, in pool {short(pool_id)}"
        case load_balancer.HealthMonitorCreated(health_monitor=one, pool_id=pool_id) | (
            load_balancer.HealthMonitorUpdated(health_monitor=one, pool_id=pool_id)
        ):
            return f"{named(one.name)}{one.type} every {one.delay_s} s for pool {short(pool_id)}"
        case load_balancer.ListenerRemoved(listener_id=removed):
            return f"listener {short(removed)}"
        case load_balancer.PoolRemoved(pool_id=removed):
            return f"pool {short(removed)} with all in it"
        case load_balancer.MemberRemoved(member_id=removed, pool_id=pool_id):
            return f"member {short(removed)} of pool {short(pool_id)}"
        case load_balancer.HealthMonitorRemoved(health_monitor_id=removed, pool_id=pool_id):
            return f"monitor {short(removed)} of pool {short(pool_id)}"
        case _:
            return ""


def _of_l7(event: Event) -> str:
    match event:
        case load_balancer.L7PolicyCreated(l7_policy=one) | load_balancer.L7PolicyUpdated(l7_policy=one):
            return f"{named(one.name)}{_action(one)}, at {one.position} of listener {short(one.listener_id)}"
        case load_balancer.L7PolicyRemoved(l7_policy_id=removed, listener_id=listener_id):
            return f"L7 policy {short(removed)} of listener {short(listener_id)} with its rules"
        case load_balancer.L7PoliciesOrdered(listener_id=listener_id, l7_policy_ids=ordered):
            return f"listener {short(listener_id)} tries {', '.join(map(short, ordered))} in this order"
        case (
            load_balancer.L7RuleCreated(l7_rule=one, l7_policy_id=policy_id)
            | load_balancer.L7RuleUpdated(l7_rule=one, l7_policy_id=policy_id)
        ):
            return f"{_rule(one)}, in L7 policy {short(policy_id)}"
        case load_balancer.L7RuleRemoved(l7_rule_id=removed, l7_policy_id=policy_id):
            return f"L7 rule {short(removed)} of L7 policy {short(policy_id)}"
        case _:
            return ""


def _action(policy: L7Policy) -> str:
    target = policy.redirect_url or policy.redirect_prefix or short(policy.redirect_pool_id or "")
    return f"{policy.action} {target}".rstrip()


def _rule(rule: L7Rule) -> str:
    key = f" {rule.key}" if rule.key else ""
    negation = "not " if rule.invert else ""
    return f"{negation}{rule.type}{key} {rule.compare_type} {rule.value}"


def _of_network(event: Event) -> str:
    match event:
        case network.NetworkDiscovered(network=one):
            return f"{named(one.name)}for {one.role}: {', '.join(subnet.cidr for subnet in one.subnets)}"
        case network.NetworkVanished(network_id=vanished):
            return f"network {short(vanished)} is seen no more"
        case network.VipReserved(vip=vip):
            return f"{vip.address}/{vip.prefix_length} on subnet {short(vip.subnet_id)}"
        case network.VipReleased(reason=reason):
            return f"given back: {reason}"
        case network.PortCreated(port=port):
            return f"port {short(port.id)}: {port.address}/{port.prefix_length}, {port.mac}"
        case network.PortFailed(port_id=port_id, reason=reason):
            return f"port {short(port_id)} cannot be had: {reason}"
        case network.PortDeleted(port_id=port_id):
            return f"port {short(port_id)} is gone"
        case network.PortStrayRemoved(port_id=port_id):
            return f"nobody ordered port {short(port_id)}, so it was removed"
        case network.RoutesStrayRemoved(via=via, addresses=addresses):
            return f"nobody ordered routes of {', '.join(addresses)} to {via}, so they were removed"
        case network.RoutesSettled(vips=vips, routing_addresses=()):
            return f"no VIP is routed here, {len(vips)} wished" if vips else "no VIP is routed here any more"
        case network.RoutesSettled(vips=vips, routing_addresses=addresses):
            led = ", ".join(vip.address for vip in vips)
            return f"{led} are routed to {', '.join(each.address for each in addresses)}"
        case network.RoutesFailed(reason=reason):
            return f"the routes cannot be had, and stay as they were: {reason}"
        case network.PortsSettled(revision=revision):
            return f"exactly the wished ports exist, revision {revision}"
        case _:
            return ""


def _of_health(event: Event) -> str:
    match event:
        case health.OperatingStatusChanged(changes=changes):
            return ", ".join(
                f"{one.kind} {short(one.id)} is {one.operating_status}" + (f" ({one.reason})" if one.reason else "")
                for one in changes
            )
        case _:
            return ""


def _of_dead_letter(event: Event) -> str:
    match event:
        case dead_letter.DeadLetterRetried(letter=letter, service=service, reason=reason):
            return f"dead letter {letter} of {service} was handled after all: {reason}"
        case dead_letter.DeadLetterSkipped(letter=letter, service=service, reason=reason):
            return f"dead letter {letter} of {service} is not handled any more: {reason}"
        case _:
            return ""


def _of_authority(event: Event) -> str:
    match event:
        case authority.AuthorityTurned(phase=phase, edition=edition, reason=reason):
            because = f" ({reason})" if reason else ""
            done = "the new authority alone is trusted" if phase == "settled" else phase
            return f"edition {edition}: {done}{because}"
        case _:
            return ""


def _of_secret(event: Event) -> str:
    match event:
        case secret.SecretStored(secret_ref=ref, name=name, kind=kind, digest=digest, expires_at=expires_at):
            until = f", good until {expires_at:%Y-%m-%d}" if expires_at else ""
            return f"{named(name)}{kind} {ref}, content {short(digest)}{until}"
        case secret.SecretDeleted(secret_ref=ref):
            return f"{ref} is forgotten; what uses it keeps what it has until its next change"
        case _:
            return ""
