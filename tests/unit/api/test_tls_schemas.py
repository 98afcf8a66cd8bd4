"""TLS fields of listeners and pools: the site's defaults, what it forbids, and what null means."""

from dataclasses import replace
from typing import Any

import pytest

from actium_api import secret_checks
from actium_api.schemas import listener, pool, tls
from actium_api.schemas.fields import parse
from actium_api.schemas.listener import ListenerPut
from actium_api.schemas.pool import PoolPut
from actium_api.settings import CIPHERS, ApiSettings
from actium_shared.commands.planner import ListenerChanges, PoolChanges
from actium_shared.ids import SecretRef
from builders import LISTENER, POOL
from builders import listener as a_wish
from unit.api.bodies import LISTENERS, NOTHING, POOLS, SETTINGS, TERMINATING, a_listener, a_pool, refused

STRICT = replace(SETTINGS, minimum_tls_version="TLSv1.2", tls_cipher_prohibit_list=("PSK-AES128-CBC-SHA",))
VERSIONS, ALPN = ("TLSv1.2", "TLSv1.3"), ("h2", "http/1.1", "http/1.0")


def test_a_listener_that_terminates_tls_has_the_sites_defaults_and_others_have_none() -> None:
    made = a_listener(**TERMINATING).wish(LISTENER, default_pool_id=None, site=LISTENERS)
    assert (made.tls_ciphers, made.tls_versions, made.alpn_protocols) == (CIPHERS, VERSIONS, ALPN)
    plain = a_listener(tls_versions=["SSLv3"]).wish(LISTENER, default_pool_id=None, site=LISTENERS)
    assert (plain.tls_ciphers, plain.tls_versions, plain.alpn_protocols) == (None, ("SSLv3",), ())
    sent = a_listener(**TERMINATING, tls_ciphers="AES128-SHA", alpn_protocols=["http/1.1"])
    own = sent.wish(LISTENER, default_pool_id=None, site=LISTENERS)
    assert (own.tls_ciphers, own.tls_versions, own.alpn_protocols) == ("AES128-SHA", VERSIONS, ("http/1.1",))


def test_a_pool_has_them_when_it_does_tls_also_from_later_on() -> None:
    made = a_pool(tls_enabled=True).pool(POOL, POOLS)
    assert (made.tls_ciphers, made.tls_versions, made.alpn_protocols) == (CIPHERS, VERSIONS, ALPN)
    assert a_pool().pool(POOL, POOLS).tls_ciphers is None
    later = parse(PoolPut, "pool", {"tls_enabled": True}).changes(None, **NOTHING)
    assert (later.tls_ciphers, later.tls_versions, later.alpn_protocols) == (CIPHERS, VERSIONS, ALPN)
    stored = {"tls_ciphers": "AES128-SHA", "tls_versions": ["TLSv1.3"], "alpn_protocols": ["h2"]}
    kept = parse(PoolPut, "pool", {"tls_enabled": True}).changes(None, stored=stored, site=POOLS)
    assert kept == PoolChanges(tls_enabled=True)


def test_null_means_the_sites_defaults_but_for_the_protocols_of_pools() -> None:
    nulls = {"tls_ciphers": None, "tls_versions": None, "alpn_protocols": None}
    assert parse(ListenerPut, "listener", nulls).changes(LISTENERS) == ListenerChanges(
        tls_ciphers=CIPHERS, tls_versions=VERSIONS, alpn_protocols=ALPN
    )
    assert parse(PoolPut, "pool", nulls).changes(None, **NOTHING) == PoolChanges(
        tls_ciphers=CIPHERS, tls_versions=VERSIONS, alpn_protocols=()
    )
    with refused(400, "tls_enabled"):
        parse(PoolPut, "pool", {"tls_enabled": None})


@pytest.mark.parametrize("ciphers", ["", "A B", "A;B", "A\nB", "A:" * 1100])
def test_ciphers_hold_no_character_that_could_end_their_line(ciphers: str) -> None:
    with refused(400, "tls_ciphers"):
        a_listener(**TERMINATING, tls_ciphers=ciphers)
    with refused(400, "tls_ciphers"):
        parse(PoolPut, "pool", {"tls_ciphers": ciphers})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tls_versions": ["TLSv1.1", "TLSv1.3"]}, ("TLSv1.1", "oldest", "TLSv1.2")),
        ({"tls_ciphers": "AES128-SHA:PSK-AES128-CBC-SHA"}, ("PSK-AES128-CBC-SHA", "prohibited")),
    ],
)
def test_what_the_site_forbids_is_refused_at_all_four_places(fields: dict[str, Any], words: tuple[str, ...]) -> None:
    with refused(400, *words):
        listener.check(a_listener(**TERMINATING, **fields), STRICT)
    with refused(400, *words):
        listener.check_change(parse(ListenerPut, "listener", fields), protocol="TERMINATED_HTTPS", settings=STRICT)
    with refused(400, *words):
        pool.check(a_pool(tls_enabled=True, **fields), STRICT)
    with refused(400, *words):
        pool.check_change(parse(PoolPut, "pool", fields), STRICT)


def test_versions_are_always_checked_on_update_and_on_create_only_with_tls() -> None:
    listener.check(a_listener(tls_versions=["anything"]), SETTINGS)
    with refused(400, "anything"):
        sent = parse(ListenerPut, "listener", {"tls_versions": ["anything"]})
        listener.check_change(sent, protocol="HTTP", settings=SETTINGS)


@pytest.mark.parametrize("fields", [{"default_tls_container_ref": "r"}, {"sni_container_refs": ["r"]}])
def test_a_certificate_cannot_be_given_later_to_what_does_no_tls(fields: dict[str, Any]) -> None:
    sent = parse(ListenerPut, "listener", fields)
    listener.check_change(sent, protocol="PROMETHEUS", settings=SETTINGS)
    with refused(400, "HTTP listeners"):
        listener.check_change(sent, protocol="HTTP", settings=SETTINGS)


def test_the_operator_can_switch_features_off() -> None:
    settings = ApiSettings(allow_tls_terminated_listeners=False, allow_prometheus_listeners=False)
    for fields in (TERMINATING, {"protocol": "PROMETHEUS"}):
        with refused(400, "disabled"):
            listener.check(a_listener(**fields), settings)


def test_a_reference_is_text_of_some_length() -> None:
    for wrong in ("", " ", "x" * 256, 5):
        with refused(400, "default_tls_container_ref"):
            a_listener(protocol="TERMINATED_HTTPS", default_tls_container_ref=wrong)


def test_the_secrets_of_a_changed_listener_are_those_that_it_will_have() -> None:
    before = a_wish(default_tls_container_ref=SecretRef("old"), client_ca_tls_container_ref=SecretRef("ca"))
    changes = ListenerChanges(default_tls_container_ref=SecretRef("new"), client_crl_container_ref=SecretRef("crl"))
    after = secret_checks.changed(before, changes)
    uses = [(use.secret_ref, use.purpose, use.ca_ref) for use in secret_checks.uses(after)]
    assert uses == [("new", "certificate", None), ("ca", "ca", None), ("crl", "crl", "ca")]


def test_sites_settings_come_from_the_environment() -> None:
    settings = ApiSettings.from_environment({"ACTIUM_MINIMUM_TLS_VERSION": "TLSv1.3"})
    with refused(400, "TLSv1.3"):
        tls.listeners(settings).check(a_listener(**TERMINATING, tls_versions=["TLSv1.2"]))


def test_a_listener_names_no_more_certificates_than_can_be_checked_at_once() -> None:
    assert a_listener(**TERMINATING, sni_container_refs=["ref"] * 128).sni_container_refs
    with refused(400, "sni_container_refs", "128"):
        a_listener(**TERMINATING, sni_container_refs=["ref"] * 129)
