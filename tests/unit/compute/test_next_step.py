"""What is done next for an amphora, from what is known of it."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from actium_compute.authority import AMPHORA_LIFETIME
from actium_compute.facts import Facts, Stage, Stored
from actium_compute.next_step import (
    RENEW_BEFORE,
    Boot,
    Check,
    Configure,
    Delete,
    GiveUp,
    Idle,
    Renew,
    Restart,
    Step,
    Wait,
    first_configuration,
    next_step,
)
from actium_shared.commands.compute import AmphoraOrder, DeleteAmphora, FenceAmphora, Peer
from actium_shared.ids import AmphoraId, PortId
from builders import PUBLIC
from unit.compute.wishes import (
    AMPHORA,
    APPLIANCE,
    MANAGEMENT_PORT,
    PORTS,
    TENANT_PORT,
    VIP_PORT,
    boot_order,
    order,
    port,
)

PEER_PORT = PortId("the partner's")
O = TypeVar("O", bound=AmphoraOrder)  # noqa: E741
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(what: O) -> Stored[O]:
    return Stored(order=what, correlation_id="c", traceparent=None, received_at=NOW)


BOOT = stored(boot_order())
FIRST, SECOND = stored(order(bundle=1)), stored(order(bundle=2))
FENCE = stored(FenceAmphora(amphora_id=AMPHORA, appliance_id=APPLIANCE))
DELETE = stored(DeleteAmphora(amphora_id=AMPHORA, appliance_id=APPLIANCE))


def step(
    *, now: datetime = NOW, runs: bool = True, checked: bool = True, locked_out: bool = False, **known: Any
) -> Step:
    defaults: dict[str, Any] = {"amphora_id": AMPHORA, "appliance_id": APPLIANCE, "ports": PORTS}
    return next_step(Facts(**(defaults | known)), now, runs=runs, checked=checked, locked_out=locked_out)


def booted(**known: Any) -> Step:
    return step(**{"stage": Stage.BOOTED, "boot": BOOT, **known})


def test_it_boots_when_its_ports_exist() -> None:
    assert step(boot=BOOT) == Boot(BOOT)


@pytest.mark.parametrize("missing", [MANAGEMENT_PORT, VIP_PORT])
def test_it_waits_for_its_ports_no_longer_than_the_order_allows(missing: str) -> None:
    ports = {port_id: port for port_id, port in PORTS.items() if port_id != missing}
    deadline = NOW + timedelta(seconds=30)
    assert step(boot=BOOT, ports=ports) == Wait(deadline)
    gave_up = step(boot=BOOT, ports=ports, now=deadline)
    assert isinstance(gave_up, GiveUp)
    assert missing in gave_up.reason


def test_a_spare_boots_without_a_vip_port() -> None:
    spare = stored(boot_order(vip_port_id=None))
    assert step(boot=spare, ports={MANAGEMENT_PORT: PORTS[MANAGEMENT_PORT]}) == Boot(spare)
    assert step(boot=spare, ports={}) == Wait(NOW + timedelta(seconds=30))


def test_it_is_given_up_when_it_did_not_come_in_time() -> None:
    assert isinstance(step(boot=BOOT, now=NOW + timedelta(seconds=31)), GiveUp)


def test_a_configuration_alone_boots_nothing() -> None:
    assert step(configure=FIRST) == Idle()


def test_the_newest_wish_is_configured_until_its_outcome_is_on_the_log() -> None:
    assert booted(configure=SECOND, configured_bundle=1) == Configure(SECOND)
    assert booted(configure=SECOND, configured_bundle=2) == Idle()
    assert booted(configure=SECOND, configured_bundle=1, refused_bundle=2) == Idle()


def test_a_wish_waits_for_the_ports_that_it_names() -> None:
    ports = {port_id: port for port_id, port in PORTS.items() if port_id != TENANT_PORT}
    assert booted(configure=SECOND, ports=ports) == Wait(None)


def test_a_wish_waits_until_it_is_known_where_the_peers_are() -> None:
    partner = port(PEER_PORT, PUBLIC, "203.0.113.102")
    wish = stored(order(bundle=2, peers=(Peer(amphora_id=AmphoraId("other"), vip_port_id=PEER_PORT),)))
    assert booted(configure=wish, configured_bundle=1) == Wait(None)
    assert booted(configure=wish, configured_bundle=1, ports={**PORTS, PEER_PORT: partner}) == Configure(wish)


def test_what_ran_before_us_is_checked_once() -> None:
    assert booted(configure=FIRST, configured_bundle=1, checked=False) == Check(FIRST)
    assert booted(configure=FIRST, configured_bundle=1, checked=True) == Idle()


def test_where_the_newest_wish_was_refused_the_last_good_one_is_what_should_run() -> None:
    known = {"configure": SECOND, "applied": FIRST, "configured_bundle": 1, "refused_bundle": 2}
    assert booted(**known, checked=False) == Check(FIRST)
    facts = Facts(amphora_id=AMPHORA, appliance_id=APPLIANCE, ports=PORTS, **known)  # type: ignore[arg-type]
    assert first_configuration(facts) == FIRST


def test_a_lost_machine_is_booted_again_however_long_ago_it_was_ordered() -> None:
    assert booted(runs=False, now=NOW + timedelta(days=9)) == Boot(BOOT)


def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left_and_nothing_else_is_to_do() -> None:
    assert RENEW_BEFORE == AMPHORA_LIFETIME / 3
    known = {"configure": FIRST, "configured_bundle": 1, "certificate_expires_at": NOW + RENEW_BEFORE}
    assert booted(**known, now=NOW - timedelta(seconds=1)) == Idle()
    assert booted(**known) == Renew(BOOT)
    assert booted(**known, checked=False) == Check(FIRST)
    assert booted(**(known | {"configure": SECOND})) == Configure(SECOND)


def test_one_that_we_are_locked_out_of_is_restarted_before_anything_else_is_tried() -> None:
    assert booted(configure=SECOND, configured_bundle=1, locked_out=True) == Restart(BOOT)
    assert booted(configure=SECOND, configured_bundle=1, locked_out=True, runs=False) == Boot(BOOT)
    assert booted(locked_out=True, delete=DELETE) == Delete(DELETE)


@pytest.mark.parametrize("known", [{"fence": FENCE}, {"stage": Stage.FENCED}, {"fence": FENCE, "locked_out": True}])
def test_one_that_is_to_be_fenced_is_neither_booted_nor_configured_any_more(known: dict[str, Any]) -> None:
    for runs in (True, False):
        assert booted(configure=SECOND, configured_bundle=1, runs=runs, checked=False, **known) == Idle()
    assert step(boot=BOOT, **known) == Idle()
    assert booted(delete=DELETE, **known) == Delete(DELETE)


@pytest.mark.parametrize("stage", [Stage.WISHED, Stage.BOOTED, Stage.FAILED, Stage.FENCED])
def test_deletion_comes_before_everything(stage: Stage) -> None:
    assert step(stage=stage, boot=BOOT, configure=SECOND, delete=DELETE, runs=False) == Delete(DELETE)


def test_of_the_dead_nothing_is_wanted() -> None:
    assert step(stage=Stage.DELETED, boot=BOOT, configure=FIRST, delete=DELETE) == Idle()
    assert step(stage=Stage.FAILED, boot=BOOT, configure=FIRST) == Idle()
