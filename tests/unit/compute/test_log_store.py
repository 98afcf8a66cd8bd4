"""Where listeners' logs go: what settings may say, what an amphora is granted, and which lines haproxy is told to write."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.log_store import LogStore, Site, open_log_store
from actium_compute.settings import LOG_FORMAT, ComputeSettings
from actium_shared.clock import SystemClock
from actium_shared.errors import SettingsError
from builders import listener
from unit.compute.wishes import AMPHORA, PORTS, order

START = datetime(2026, 1, 1, tzinfo=UTC)
LIFETIME_S = 1000.0
SITE = Site(
    addresses=(("192.0.2.7", 80),),
    host="swift.example",
    server_name="",
    path="/v1/AUTH_actium/logs-{project_id}",
    key=b"a key of a container",
    ca="",
    format=LOG_FORMAT,
    cut_after_s=60.0,
    keep_s=600.0,
    delete_after_s=0,
    lifetime_s=LIFETIME_S,
)


class HandClock(SystemClock):
    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def text(wish: Any, **site: Any) -> str:
    logs = LogStore(replace(SITE, **site), HandClock()).grant(wish)
    return HaproxyDriver().render(wish, PORTS, {}, logs=logs).files["haproxy.cfg"].decode()


def settings(tmp_path: Path, **changes: Any) -> ComputeSettings:
    key = tmp_path / "key"
    key.write_text("a key of a container\n")
    fields: dict[str, Any] = {
        "database_url": "sqlite://",
        "world_name": "test",
        "images_folder": tmp_path,
        "amphorae_folder": tmp_path,
        "authority_folder": tmp_path,
        "secrets_folder": tmp_path,
        "heartbeat_master_key_file": key,
        "relay_addresses": (),
        "log_store_url": "https://swift.example/v1/AUTH_actium/logs",
        "log_store_addresses": ("192.0.2.7:443",),
        "log_store_key_file": key,
    }
    return ComputeSettings(**(fields | changes))


def test_without_a_store_nothing_is_granted_and_nothing_rendered(tmp_path: Path) -> None:
    store = open_log_store(settings(tmp_path, log_store_url=""), SystemClock())
    assert store.grant(order()) is None
    assert store.granted_until(AMPHORA) == 0
    plain = HaproxyDriver().render(order(), PORTS, {})
    assert "traffic-log" not in plain.files["haproxy.cfg"].decode()
    assert HaproxyDriver().render(order(), PORTS, {}, logs=None).digest == plain.digest


def test_settings_become_what_an_amphora_needs(tmp_path: Path) -> None:
    granted = open_log_store(settings(tmp_path), SystemClock()).grant(order())
    assert granted
    assert (granted.host, granted.server_name, granted.path) == (
        "swift.example",
        "swift.example",
        "/v1/AUTH_actium/logs",
    )
    assert granted.addresses == (("192.0.2.7", 443),)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"log_store_url": "swift.example"}, "LOG_STORE_URL"),
        ({"log_store_url": "https://swift.example/v1/AUTH_actium"}, "LOG_STORE_URL"),
        ({"log_store_url": "https://user:word@swift.example/v1/AUTH_actium/logs"}, "LOG_STORE_URL"),
        ({"log_store_addresses": ()}, "LOG_STORE_ADDRESSES"),
        ({"log_store_addresses": ("swift.example:443",)}, "LOG_STORE_ADDRESSES"),
        ({"log_store_key_file": None}, "LOG_STORE_KEY_FILE"),
        ({"log_store_key_file": Path("/nowhere")}, "LOG_STORE_KEY_FILE"),
        ({"log_store_ca_file": Path("/nowhere")}, "LOG_STORE_CA_FILE"),
        ({"log_store_every_s": 0.0}, "LOG_STORE_EVERY_S"),
        ({"log_store_keep_s": float("nan")}, "LOG_STORE_KEEP_S"),
        ({"log_store_signature_lifetime_s": 1.0}, "LOG_STORE_SIGNATURE_LIFETIME_S"),
        ({"log_format": "%ci\n    bind :1"}, "LOG_FORMAT"),
    ],
)
def test_what_makes_no_sense_is_refused_at_start_by_name(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=f"ACTIUM_{named}"):
        open_log_store(settings(tmp_path, **changes), SystemClock())


def test_an_amphora_is_granted_names_of_its_own_and_the_key_is_shown_to_nobody() -> None:
    wish = order(balancer={"project_id": "../a b", "id": "the-balancer"})
    store = LogStore(SITE, HandClock())
    granted = store.grant(wish)
    assert granted
    assert granted.path == "/v1/AUTH_actium/logs-.._a_b"
    assert granted.streams["the-balancer"].prefix == f".._a_b/the-balancer/{AMPHORA}/"
    assert SITE.key not in HaproxyDriver().render(wish, PORTS, {}, logs=granted).to_body()
    assert "a key" not in repr(SITE)
    assert granted.streams["the-balancer"].signature not in repr(granted)


def test_a_grant_is_the_same_for_half_its_life_and_holds_for_half_of_it_at_least() -> None:
    clock = HandClock()
    store = LogStore(SITE, clock)
    ends = []
    for second in range(3000):
        clock.time = START + timedelta(seconds=second)
        granted = store.grant(order())
        assert granted
        assert LIFETIME_S / 2 - 1 <= granted.expires_at - clock.time.timestamp() <= LIFETIME_S
        ends.append(granted.expires_at)
    assert ends == sorted(ends)
    assert len(set(ends)) == 3000 / (LIFETIME_S / 2) + 1


def test_amphorae_are_not_granted_anew_all_at_once() -> None:
    store = LogStore(SITE, HandClock())
    assert len({store.granted_until(f"amphora-{number}") for number in range(20)}) > 10


def test_a_flavor_may_leave_logs_out() -> None:
    store = LogStore(SITE, HandClock())
    assert store.grant(order(balancer={"flavor": {"listener_logs": False}})) is None
    assert store.grant(order(balancer={"flavor": {"listener_logs": True}})) is not None


def test_lines_are_upstreams_and_begin_with_whose_they_are() -> None:
    wish = order(balancer={"id": "lb", "project_id": "pr"})
    assert "    log-format 'lb pr lb %f %ci %cp %t %{+Q}r %ST %B" in text(wish)
    assert "    log /run/amphora/traffic-log.sock len 4096 format raw local0 info\n" in text(wish)


def test_of_connections_that_are_not_read_nothing_is_asked_that_only_http_has() -> None:
    wish = order(balancer={"id": "lb"}, listeners=(listener(protocol="TCP"),))
    assert "'lb - %b - - %%r %ts %rt %trx'" in text(wish, format="%{+Q}r %b %ST %HU %%r %ts %rt %trx")


def test_no_outside_text_can_end_a_line_or_add_to_it() -> None:
    wish = order(balancer={"id": "lb", "project_id": "x'\n    bind :1 %[env(HOME)]"})
    lines = [line for line in text(wish, format="{{ project_id }} it's").splitlines() if "log-format" in line]
    assert lines == ["    log-format 'lb x______bind__1___env_HOME__ it'\\''s'"]


def test_whose_logs_changes_the_digest_and_the_numbers_do_not() -> None:
    one, two = (LogStore(SITE, HandClock(at)).grant(order()) for at in (START, START + timedelta(seconds=LIFETIME_S)))
    bundles = [HaproxyDriver().render(order(), PORTS, {}, logs=logs) for logs in (one, two)]
    assert bundles[0].digest != bundles[1].digest
    assert bundles[0].files == bundles[1].files
