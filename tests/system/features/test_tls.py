"""TLS that clients talk to haproxy, and that haproxy talks to members, with real chains of certificates. Real packets."""

import hashlib
import ssl
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from actium_compute.ports import Secret
from actium_shared.ids import ListenerId, MemberId, SecretRef
from builders import an_id, health_monitor, member
from certificates import Issued, issue, root, server
from system.amphora_agent.sandbox import VIP
from system.features import http2
from system.features.origin import Origin
from system.features.scene import Scene, a_listener, a_member, a_policy, a_pool, a_rule, certificate_secret
from system.features.test_monitors import QUICK, server_context
from system.namespaces import eventually

pytestmark = pytest.mark.root

WWW, SNI = server("www.example.com"), server("sni.example.com")
CLIENTS = root("Clients' root")
ALICE, MALLORY = issue("alice", CLIENTS), issue("mallory", CLIENTS)
STRANGER = issue("stranger", root("Nobody's root"))
DEFAULT, OTHER, CA, CRL = (SecretRef(f"http://keys/v1/{name} '\n") for name in ("default", "other", "ca", "crl"))
KEYS = {DEFAULT: certificate_secret(WWW), OTHER: certificate_secret(SNI)}


@pytest.fixture
def web(scene: Scene) -> Origin:
    return scene.origin("web")


def terminated(
    scene: Scene, web: Origin, *, secrets: Mapping[SecretRef, Secret] | None = None, weight: int = 1, **fields: Any
) -> str:
    pool = a_pool(a_member(web, weight=weight))
    words = {"protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": DEFAULT} | fields
    return scene.apply(a_listener(pool, **words), pools=(pool,), secrets=secrets or {DEFAULT: KEYS[DEFAULT]})


def trusting(*issued: Issued, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Give a client that knows the roots of these, and nothing between."""
    context = ssl.create_default_context(cadata="".join(each.chain[-1].pem.decode() for each in issued))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def as_client(who: Issued, folder: Path) -> ssl.SSLContext:
    context = trusting(WWW)
    path = folder / f"{who.certificate.serial_number}.pem"
    path.write_bytes(who.pem + who.key_pem)
    context.load_cert_chain(path)
    return context


def test_the_whole_chain_is_sent_and_a_host_gets_its_own_certificate(scene: Scene, web: Origin) -> None:
    terminated(scene, web, sni_container_refs=(OTHER,), secrets=KEYS)
    assert scene.get(tls=trusting(WWW), to_port=443).server == "web"
    assert scene.get(tls=trusting(SNI), to_port=443, name="sni.example.com").server == "web"
    nameless = trusting(WWW)
    nameless.check_hostname = False
    assert scene.get(tls=nameless, to_port=443, name="unknown.example.com").server == "web"
    with pytest.raises(ssl.SSLCertVerificationError):
        scene.get(tls=trusting(SNI), to_port=443)


def test_a_certificate_for_names_alone_serves_without_a_default(scene: Scene, web: Origin) -> None:
    terminated(scene, web, default_tls_container_ref=None, sni_container_refs=(OTHER,), secrets={OTHER: KEYS[OTHER]})
    assert scene.get(tls=trusting(SNI), to_port=443, name="sni.example.com").server == "web"


@pytest.mark.parametrize(
    ("versions", "spoken"),
    [
        (("TLSv1.2", "TLSv1.3"), {"TLSv1.2", "TLSv1.3"}),
        (("TLSv1.3",), {"TLSv1.3"}),
        (("TLSv1.2",), {"TLSv1.2"}),
        (("TLSv1", "TLSv1.3"), {"TLSv1.3"}),
        (("TLSv1", "TLSv1.1"), {"TLSv1", "TLSv1.1"}),
    ],
)
def test_only_the_versions_asked_for_are_spoken(
    scene: Scene, web: Origin, versions: tuple[str, ...], spoken: set[str]
) -> None:
    terminated(scene, web, tls_versions=versions)
    found = set()
    for version in ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"):
        context = trusting(WWW)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):  # that some are old is what this is about
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        try:
            found.add(scene.get(tls=context, to_port=443).version)
        except (ssl.SSLError, ConnectionError):
            continue
    assert found == spoken


def test_ciphers_of_both_kinds_are_those_asked_for(scene: Scene, web: Origin) -> None:
    terminated(scene, web, tls_ciphers="TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    newer, older = trusting(WWW), trusting(WWW)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    ciphers = [scene.get(tls=context, to_port=443).cipher for context in (newer, older)]
    assert ciphers == ["TLS_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]


def test_protocols_are_negotiated_as_offered(scene: Scene, web: Origin) -> None:
    def chosen(*asked: str) -> str | None:
        link = scene.connect(to_port=443)
        with trusting(WWW, alpn=asked).wrap_socket(link, server_hostname="www.example.com") as wrapped:
            return wrapped.selected_alpn_protocol()

    terminated(scene, web, alpn_protocols=("h2", "http/1.1"))
    assert [chosen("http/1.1", "h2"), chosen("http/1.1"), chosen("spdy/1")] == ["h2", "http/1.1", None]
    terminated(scene, web, alpn_protocols=("http/1.1",))
    assert chosen("h2", "http/1.1") == "http/1.1"


def test_http2_is_spoken(scene: Scene, web: Origin) -> None:
    terminated(scene, web, alpn_protocols=("h2", "http/1.1"))
    link = scene.connect(to_port=443)
    with trusting(WWW, alpn=("h2",)).wrap_socket(link, server_hostname="www.example.com") as wrapped:
        assert wrapped.selected_alpn_protocol() == "h2"
        is_ok, body = http2.get_root(wrapped, "www.example.com")
    assert is_ok
    assert body


def test_strict_transport_security_is_promised_also_where_haproxy_itself_answers(scene: Scene, web: Origin) -> None:
    words = {"hsts_max_age_s": 600, "hsts_include_subdomains": True, "hsts_preload": True}
    pool = a_pool(a_member(web))
    one = a_listener(pool, protocol="TERMINATED_HTTPS", protocol_port=443, default_tls_container_ref=DEFAULT, **words)
    reject = a_policy(1, "REJECT", a_rule("PATH", "EQUAL_TO", "/no"))
    scene.apply(one, pools=(pool,), policies=(reject,), secrets={DEFAULT: KEYS[DEFAULT]})
    for path in ("/", "/no"):
        answer = scene.get(path, tls=trusting(WWW), to_port=443)
        assert answer.headers["Strict-Transport-Security"] == "max-age=600; includeSubDomains; preload"


def mutual(scene: Scene, web: Origin, mode: str, *, crl: bool = False, **fields: Any) -> str:
    secrets = {DEFAULT: KEYS[DEFAULT], CA: Secret(ca_pem=CLIENTS.pem)}
    secrets |= {CRL: Secret(crl_pem=CLIENTS.crl([MALLORY]))} if crl else {}
    refs = {"client_ca_tls_container_ref": CA} | ({"client_crl_container_ref": CRL} if crl else {})
    return terminated(scene, web, client_authentication=mode, secrets=secrets, **refs, **fields)


def is_let_in(scene: Scene, context: ssl.SSLContext) -> bool:
    try:
        return scene.get(tls=context, to_port=443).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


def test_clients_must_or_may_show_a_certificate_of_the_right_authority(
    scene: Scene, web: Origin, tmp_path: Path
) -> None:
    alice, stranger, nobody = as_client(ALICE, tmp_path), as_client(STRANGER, tmp_path), trusting(WWW)
    mutual(scene, web, "MANDATORY")
    assert [is_let_in(scene, who) for who in (alice, stranger, nobody)] == [True, False, False]
    mutual(scene, web, "OPTIONAL")
    assert [is_let_in(scene, who) for who in (alice, stranger, nobody)] == [True, False, True]


def test_a_revoked_client_is_kept_out(scene: Scene, web: Origin, tmp_path: Path) -> None:
    alice, mallory = as_client(ALICE, tmp_path), as_client(MALLORY, tmp_path)
    mutual(scene, web, "MANDATORY")
    assert [is_let_in(scene, who) for who in (alice, mallory)] == [True, True]
    mutual(scene, web, "MANDATORY", crl=True)
    assert [is_let_in(scene, who) for who in (alice, mallory)] == [True, False]


def test_members_learn_of_the_clients_certificate(scene: Scene, web: Origin, tmp_path: Path) -> None:
    names = [f"X-SSL-Client-{what}" for what in ("Verify", "Has-Cert", "DN", "CN", "SHA1", "Not-Before", "Not-After")]
    wanted = ["X-SSL-Issuer", "X-Forwarded-Proto", *names]
    mutual(scene, web, "OPTIONAL", insert_headers=dict.fromkeys(wanted, "true"))
    headers = scene.get(tls=as_client(ALICE, tmp_path), to_port=443).arrived["headers"]
    found = {name: headers[name.lower()].strip('"') for name in wanted}
    fingerprint = ssl.PEM_cert_to_DER_cert(ALICE.pem.decode())
    assert found["X-SSL-Client-SHA1"] == hashlib.sha1(fingerprint).hexdigest().upper()
    assert (found["X-SSL-Client-Verify"], found["X-SSL-Client-Has-Cert"], found["X-Forwarded-Proto"]) == (
        "0",
        "1",
        "https",
    )
    assert (found["X-SSL-Client-CN"], found["X-SSL-Client-DN"], found["X-SSL-Issuer"]) == (
        "alice", "/CN=alice", "/CN=Clients' root",
    )  # fmt: skip
    assert found["X-SSL-Client-Not-Before"] < found["X-SSL-Client-Not-After"]
    anonymous = scene.get(tls=trusting(WWW), to_port=443, X_SSL_Client_CN="alice").arrived["headers"]
    assert anonymous["x-ssl-client-has-cert"] == "0"
    assert "alice" not in anonymous.get("x-ssl-client-cn", "")


def test_rules_see_the_clients_certificate(scene: Scene, web: Origin, tmp_path: Path) -> None:
    rules = {
        "/has": a_rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "True"),
        "/verified": a_rule("SSL_VERIFY_RESULT", "EQUAL_TO", "0"),
        "/alice": a_rule("SSL_DN_FIELD", "STARTS_WITH", "ali", key="CN"),
        "/equal": a_rule("SSL_DN_FIELD", "EQUAL_TO", "alice", key="CN"),
        "/ends": a_rule("SSL_DN_FIELD", "ENDS_WITH", "ice", key="CN"),
        "/contains": a_rule("SSL_DN_FIELD", "CONTAINS", "lic", key="CN"),
        "/regex": a_rule("SSL_DN_FIELD", "REGEX", "^a.*e$", key="CN"),
    }
    policies = tuple(
        a_policy(at, "REJECT", a_rule("PATH", "EQUAL_TO", path), rule)
        for at, (path, rule) in enumerate(rules.items(), 1)
    )
    pool = a_pool(a_member(web))
    one = a_listener(
        pool, protocol="TERMINATED_HTTPS", protocol_port=443, default_tls_container_ref=DEFAULT,
        client_ca_tls_container_ref=CA, client_authentication="OPTIONAL",
    )  # fmt: skip
    secrets = {DEFAULT: KEYS[DEFAULT], CA: Secret(ca_pem=CLIENTS.pem)}
    scene.apply(one, pools=(pool,), policies=policies, secrets=secrets)

    def answers(context: ssl.SSLContext) -> list[int]:
        return [scene.get(path, tls=context, to_port=443).status for path in rules]

    assert answers(as_client(ALICE, tmp_path)) == [403] * 7
    assert answers(as_client(MALLORY, tmp_path)) == [403, 403, *[200] * 5]
    anonymous = dict(zip(rules, answers(trusting(WWW)), strict=True))
    assert (anonymous.pop("/has"), anonymous.pop("/verified"), set(anonymous.values())) == (200, 403, {200})


def test_https_is_passed_on_unread(scene: Scene, tmp_path: Path) -> None:
    end = scene.origin("end", tls=server_context(WWW, tmp_path))
    pool = a_pool(a_member(end), protocol="HTTPS")
    scene.apply(a_listener(pool, protocol="HTTPS", protocol_port=443), pools=(pool,))
    assert scene.get(tls=trusting(WWW), to_port=443).server == "end"


def test_a_change_of_weight_on_a_tls_listener_is_no_reload_and_a_new_certificate_is(scene: Scene, web: Origin) -> None:
    terminated(scene, web)
    assert terminated(scene, web, weight=7) == "runtime"
    assert terminated(scene, web, weight=7) == "unchanged"
    renewed = server("www.example.com")
    assert terminated(scene, web, weight=8, secrets={DEFAULT: certificate_secret(renewed)}) == "reload"
    assert scene.get(tls=trusting(renewed), to_port=443).server == "web"


def test_private_keys_are_in_memory_and_nobody_elses_to_read(scene: Scene, web: Origin) -> None:
    terminated(scene, web, sni_container_refs=(OTHER,), secrets=KEYS)
    init = scene.sandbox.init
    place = Path(f"/proc/{init}/root/run/amphora/certificates")
    mounts = Path(f"/proc/{init}/mounts").read_text().splitlines()
    assert any(line.split()[1:3] == ["/run", "tmpfs"] for line in mounts)
    found = [path for path in place.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert len(found) == 2
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    scene.apply(a_listener(a_pool(a_member(web))), pools=(a_pool(a_member(web)),))
    assert not any(place.iterdir())


# ---- towards members


def encrypted(scene: Scene, *origins: Origin, secrets: Mapping[SecretRef, Secret] | None = None, **fields: Any) -> str:
    pool = a_pool(*(a_member(each) for each in origins), tls_enabled=True, **fields)
    return scene.apply(a_listener(pool), pools=(pool,), secrets=secrets)


def test_members_are_talked_to_in_tls_and_their_certificate_counts_where_an_authority_is_given(
    scene: Scene, tmp_path: Path
) -> None:
    end = scene.origin("end", tls=server_context(WWW, tmp_path))
    encrypted(scene, end)
    assert scene.get().arrived["tls"]["version"] == "TLSv1.3"
    encrypted(scene, end, ca_tls_container_ref=CA, secrets={CA: Secret(ca_pem=WWW.chain[-1].pem)})
    assert scene.get().server == "end"
    encrypted(scene, end, ca_tls_container_ref=CA, secrets={CA: Secret(ca_pem=SNI.chain[-1].pem)})
    assert scene.get().status == 503


def test_a_member_whose_certificate_was_revoked_gets_nothing(scene: Scene, tmp_path: Path) -> None:
    authority = root("Members' root")
    good, bad = issue("good", authority), issue("bad", authority)
    origins = [
        scene.origin(each_name, tls=server_context(each, tmp_path))
        for each_name, each in (("good", good), ("bad", bad))
    ]
    secrets = {CA: Secret(ca_pem=authority.pem), CRL: Secret(crl_pem=authority.crl([bad]))}
    refs = {"ca_tls_container_ref": CA, "crl_container_ref": CRL}
    encrypted(scene, origins[1], secrets=secrets, **refs)
    assert scene.get().status == 503
    encrypted(scene, origins[0], secrets=secrets, **refs)
    assert scene.get().server == "good"


def test_members_see_our_certificate_version_cipher_and_protocol(scene: Scene, tmp_path: Path) -> None:
    end = scene.origin("end", tls=server_context(WWW, tmp_path, client_ca=CLIENTS))
    end.tls.set_alpn_protocols(["http/1.1"])  # type: ignore[union-attr]
    encrypted(
        scene, end, tls_container_ref=DEFAULT, secrets={DEFAULT: certificate_secret(ALICE)},
        tls_versions=("TLSv1.2",), tls_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256", alpn_protocols=("http/1.1",),
    )  # fmt: skip
    assert scene.get().arrived["tls"] == {
        "version": "TLSv1.2",
        "cipher": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "alpn": "http/1.1",
        "client": "alice",
    }


def test_members_are_asked_for_the_host_that_the_client_wants(scene: Scene, tmp_path: Path) -> None:
    wanted: list[str | None] = []
    context = server_context(WWW, tmp_path)
    context.set_servername_callback(lambda _link, name, _context: wanted.append(name))
    ends = [scene.origin(name, tls=context) for name in ("one", "two")]
    secrets = KEYS | {CA: Secret(ca_pem=WWW.chain[-1].pem)}

    def served(count: int) -> str:
        members = (a_member(end) for end in ends[:count])
        pool = a_pool(*members, tls_enabled=True, ca_tls_container_ref=CA, alpn_protocols=("h2", "http/1.1"))
        words = {"default_tls_container_ref": DEFAULT, "sni_container_refs": (OTHER,)}
        one = a_listener(pool, protocol="TERMINATED_HTTPS", protocol_port=443, **words)
        return scene.apply(one, pools=(pool,), secrets=secrets)

    served(1)
    assert scene.get(tls=trusting(WWW), to_port=443).server == "one"
    assert wanted == ["www.example.com"]
    # Which it must be: its certificate counts, and is for another.
    assert scene.get(tls=trusting(SNI), to_port=443, name="sni.example.com").status == 503
    assert set(wanted[1:]) == {"sni.example.com"}
    assert served(2) == "runtime"
    scene.until_serving("one", "two", tls=trusting(WWW), to_port=443)


@pytest.mark.parametrize("offered", [("h2", "http/1.1", "http/1.0"), ("h2",)])
def test_members_that_speak_http2_are_spoken_to_in_it_and_pass_their_checks(
    scene: Scene, web: Origin, offered: tuple[str, ...]
) -> None:
    # The member is another listener of the same amphora, which knows nothing else.
    behind = a_pool(a_member(web), name="behind")
    member_itself = a_listener(
        behind, id=ListenerId(an_id("itself")), protocol="TERMINATED_HTTPS", protocol_port=443,
        default_tls_container_ref=DEFAULT, alpn_protocols=("h2",),
    )  # fmt: skip
    itself = member(id=MemberId(an_id(f"itself {offered}")), address=VIP, protocol_port=443)
    monitor = health_monitor(**QUICK, url_path="/health")
    pool = a_pool(itself, tls_enabled=True, alpn_protocols=offered, monitor=monitor)
    scene.apply(a_listener(pool), member_itself, pools=(pool, behind), secrets={DEFAULT: KEYS[DEFAULT]})
    assert scene.get().server == "web"
    eventually(lambda: web.asked.count("/health") > 1, deadline_s=15)
    assert scene.get().server == "web"


def test_a_member_joins_an_encrypted_pool_without_a_reload(scene: Scene, tmp_path: Path) -> None:
    ends = [scene.origin(name, tls=server_context(WWW, tmp_path)) for name in ("one", "two")]
    secrets = {CA: Secret(ca_pem=WWW.chain[-1].pem)}
    encrypted(scene, ends[0], ca_tls_container_ref=CA, secrets=secrets)
    assert encrypted(scene, *ends, ca_tls_container_ref=CA, secrets=secrets) == "runtime"
    scene.until_serving("one", "two")
