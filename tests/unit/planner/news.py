"""What compute, health and the network say of an amphora: of one of `APPLIANCE`'s, where a test says nothing else."""

from datetime import datetime

import builders as a
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events import amphora, health, network
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId
from unit.planner.lives import NOW

APPLIANCE = ApplianceId(a.an_id("appliance"))


def booted(
    amphora_id: AmphoraId, host: str = "host-1", *, appliance_id: ApplianceId = APPLIANCE, image_tag: str = "default"
) -> amphora.AmphoraBooted:
    return amphora.AmphoraBooted(
        amphora_id=amphora_id,
        appliance_id=appliance_id,
        compute_id="c",
        host=host,
        image_tag=image_tag,
        management_address="10.250.1.1",
        heartbeat_key_version=1,
        certificate_expires_at=NOW,
    )


def boot_failed(
    amphora_id: AmphoraId, *, appliance_id: ApplianceId = APPLIANCE, reason: str = "out of resources: no host"
) -> amphora.AmphoraBootFailed:
    return amphora.AmphoraBootFailed(amphora_id=amphora_id, appliance_id=appliance_id, reason=reason)


def configured(order: ConfigureAmphora) -> amphora.AmphoraConfigured:
    return amphora.AmphoraConfigured(
        amphora_id=order.amphora_id,
        appliance_id=order.appliance_id,
        bundle=order.bundle,
        epoch=order.epoch,
        digest="d",
        result="reload",
        took_ms=1.0,
    )


def refused(
    amphora_id: AmphoraId,
    bundle: int,
    *,
    appliance_id: ApplianceId = APPLIANCE,
    load_balancer_ids: tuple[LoadBalancerId, ...] = (),
) -> amphora.AmphoraConfigurationRefused:
    return amphora.AmphoraConfigurationRefused(
        amphora_id=amphora_id,
        appliance_id=appliance_id,
        bundle=bundle,
        reason="haproxy: no",
        load_balancer_ids=load_balancer_ids,
    )


def fenced(amphora_id: AmphoraId, *, appliance_id: ApplianceId = APPLIANCE) -> amphora.AmphoraFenced:
    return amphora.AmphoraFenced(amphora_id=amphora_id, appliance_id=appliance_id)


def deleted(amphora_id: AmphoraId, *, appliance_id: ApplianceId = APPLIANCE) -> amphora.AmphoraDeleted:
    return amphora.AmphoraDeleted(amphora_id=amphora_id, appliance_id=appliance_id)


def lost(
    amphora_id: AmphoraId, *, appliance_id: ApplianceId = APPLIANCE, last_heard_at: datetime = NOW
) -> health.AmphoraLost:
    return health.AmphoraLost(
        amphora_id=amphora_id,
        appliance_id=appliance_id,
        last_heard_at=last_heard_at,
        reason="silent for 3 s",
        host="host-1",
    )


def ports_settled(
    amphora_id: AmphoraId, revision: int, *, appliance_id: ApplianceId = APPLIANCE
) -> network.PortsSettled:
    return network.PortsSettled(amphora_id=amphora_id, appliance_id=appliance_id, revision=revision)


def port_failed(amphora_id: AmphoraId, port_id: PortId, *, appliance_id: ApplianceId = APPLIANCE) -> network.PortFailed:
    return network.PortFailed(
        amphora_id=amphora_id, appliance_id=appliance_id, port_id=port_id, reason="out of addresses"
    )
