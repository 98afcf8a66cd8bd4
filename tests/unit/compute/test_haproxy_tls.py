"""TLS in haproxy's terms: which files lie beside the configuration, under which names, from which secrets."""

from typing import Any

import pytest

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import SecretRef
from actium_shared.wishes import Listener, PoolWish
from builders import an_id, health_monitor, listener, member, pool
from unit.compute.wishes import PORTS, order

DRIVER = HaproxyDriver()
REF, OTHER, CA, CRL = (SecretRef(name) for name in ("ref", "other", "ca", "crl"))
SECRETS = {
    REF: Secret(certificate_pem=b"certificate", private_key_pem=b"key\n", intermediates_pem=b"between\n"),
    OTHER: Secret(certificate_pem=b"other", private_key_pem=b"other's key"),
    CA: Secret(ca_pem=b"ca"),
    CRL: Secret(crl_pem=b"crl"),
}


def terminated(**fields: object) -> Listener:
    words = {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": REF, "default_pool_id": an_id("pool")}
    return listener(**(words | fields))


def with_listener(**fields: object) -> ConfigureAmphora:
    return order(listeners=(terminated(**fields),))


def with_pool(**fields: object) -> ConfigureAmphora:
    return order(PoolWish(pool=pool(tls_enabled=True, **fields), members=(member(),)))


def bind(wish: ConfigureAmphora) -> str:
    text = DRIVER.render(wish, PORTS, SECRETS).files["haproxy.cfg"].decode()
    return next(line.strip() for line in text.splitlines() if line.strip().startswith("bind "))


def test_a_certificate_lies_with_its_key_and_its_chain_in_one_file() -> None:
    files = DRIVER.render(with_listener(sni_container_refs=(OTHER, REF)), PORTS, SECRETS).files
    (listed,) = (files[name].decode().split() for name in files if name.endswith(".crtlist"))
    contents = [files[f"certificates/{name}"] for name in listed]
    assert contents == [b"certificate\nkey\nbetween\n", b"other\nother's key\n"]


def test_only_secrets_that_are_in_use_are_asked_for() -> None:
    assert DRIVER.secrets_of(with_listener(client_ca_tls_container_ref=CA)) == {REF}
    assert DRIVER.secrets_of(with_listener(client_ca_tls_container_ref=CA, client_authentication="OPTIONAL")) == {
        REF,
        CA,
    }
    assert DRIVER.secrets_of(with_listener(admin_state_up=False)) == set()
    assert DRIVER.secrets_of(with_pool(tls_container_ref=OTHER, ca_tls_container_ref=CA, crl_container_ref=CRL)) == {
        OTHER,
        CA,
        CRL,
    }
    unused = order(
        PoolWish(pool=pool(tls_enabled=True, ca_tls_container_ref=CA)), listeners=(terminated(default_pool_id=None),)
    )
    assert DRIVER.secrets_of(unused) == {REF}


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        (with_listener(default_tls_container_ref=SecretRef("gone")), "gone: does not exist"),
        (with_listener(default_tls_container_ref=CA), "ca: has no certificate"),
        (with_listener(client_ca_tls_container_ref=REF, client_authentication="MANDATORY"), "ref: has no CA"),
        (with_listener(default_tls_container_ref=None), "default_tls_container_ref"),
        (with_listener(client_authentication="MANDATORY"), "client_ca_tls_container_ref"),
        (with_listener(client_authentication="PERHAPS", client_ca_tls_container_ref=CA), "client_authentication"),
        (with_listener(tls_versions=("TLSv9",)), "tls_versions"),
        (with_listener(tls_versions=("SSLv3",)), "tls_versions"),
        (with_listener(tls_ciphers="a b"), "tls_ciphers"),
        (with_listener(tls_ciphers="::"), "tls_ciphers"),
        (with_listener(alpn_protocols=("spdy",)), "alpn_protocols"),
        (order(listeners=(listener(hsts_max_age_s=1),)), "hsts_max_age"),
        (order(listeners=(listener(insert_headers={"X-SSL-Client-DN": "true"}),)), "X-SSL-Client-DN"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(wish: ConfigureAmphora, named: str) -> None:
    with pytest.raises(RenderError, match=named):
        DRIVER.render(wish, PORTS, SECRETS)


def test_versions_are_the_range_down_to_the_first_gap() -> None:
    assert "ssl-min-ver TLSv1.1 ssl-max-ver TLSv1.2" in bind(with_listener(tls_versions=("TLSv1.2", "TLSv1.1")))
    assert "ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3" in bind(with_listener(tls_versions=("TLSv1", "TLSv1.3")))
    assert "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3" in bind(with_listener())


def test_only_who_asks_for_what_is_old_gets_what_is_weak() -> None:
    assert "SECLEVEL" not in bind(with_listener(tls_versions=("TLSv1", "TLSv1.2")))  # a gap: no TLSv1 is spoken
    assert " ciphers DEFAULT:@SECLEVEL=0" in bind(with_listener(tls_versions=("TLSv1.1", "TLSv1.2")))
    old = {"tls_versions": ("TLSv1",)}
    assert " ciphers AES128-SHA:@SECLEVEL=0" in bind(with_listener(tls_ciphers="AES128-SHA", **old))
    assert " ciphers AES128-SHA:@SECLEVEL=1" in bind(with_listener(tls_ciphers="AES128-SHA:@SECLEVEL=1", **old))


@pytest.mark.parametrize(
    ("offered", "elsewhere", "negotiated"),
    [
        (("h2", "http/1.1", "http/1.0"), {}, " check-alpn http/1.1,http/1.0"),
        (("h2",), {}, " check-alpn h2"),
        (("h2", "http/1.1"), {"monitor_port": 81}, ""),
        (("h2", "http/1.1"), {"monitor_address": "10.1.0.99"}, ""),
        ((), {}, ""),
    ],
)
def test_checks_of_encrypted_members_negotiate_what_they_speak(
    offered: tuple[str, ...], elsewhere: dict[str, Any], negotiated: str
) -> None:
    monitor = health_monitor(http_version=1.1, domain_name="a.example")
    wish = order(PoolWish(pool=pool(tls_enabled=True, alpn_protocols=offered), members=(member(**elsewhere),),
                          health_monitor=monitor))  # fmt: skip
    text = DRIVER.render(wish, PORTS, SECRETS).files["haproxy.cfg"].decode()
    (server,) = [line for line in text.splitlines() if line.startswith("    server ")]
    found = server.partition(" check-alpn ")
    assert found[1] + found[2] == negotiated
    # Another place is another service, of which it is not known that it is encrypted.
    assert ("check-sni a.example" in server) is not bool(elsewhere)


def test_a_new_content_is_another_digest_and_the_same_words() -> None:
    renewed = SECRETS | {REF: Secret(certificate_pem=b"new", private_key_pem=b"new")}
    one, two = (DRIVER.render(with_listener(), PORTS, secrets) for secrets in (SECRETS, renewed))
    assert one.digest != two.digest
    assert one.files["haproxy.cfg"] == two.files["haproxy.cfg"]
    assert DRIVER.runtime_commands(with_listener(), with_listener(), PORTS) == ()


def test_no_file_of_a_secret_has_a_name_that_a_user_chose() -> None:
    hostile = SecretRef("../../etc/passwd\n'")
    wish = with_listener(default_tls_container_ref=hostile)
    files = DRIVER.render(wish, PORTS, {hostile: SECRETS[REF]}).files
    assert all(name.removeprefix("certificates/").replace(".", "").replace("-", "").isalnum() for name in files)
    assert "passwd" not in files["haproxy.cfg"].decode()


def test_a_member_joins_an_encrypted_pool_at_runtime() -> None:
    before = order(PoolWish(pool=pool(tls_enabled=True, ca_tls_container_ref=CA), members=()))
    after = with_pool(ca_tls_container_ref=CA)
    (add, *_) = DRIVER.runtime_commands(before, after, PORTS) or ()
    assert " ssl ca-file " in add
    assert " verify required " in add
