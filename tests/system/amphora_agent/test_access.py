"""Who may speak with an agent, and what wrong words are answered."""

import contextlib
import ssl

import pytest

from system.amphora_agent.bundles import bundle, card
from system.amphora_agent.controller import Controller
from system.namespaces import eventually

pytestmark = pytest.mark.root


def test_wrong_certificates_are_refused_and_counted(world):
    amphora = Controller(world.sandbox, world.sandbox.authority.issue(world.sandbox.amphora_id))
    answer = amphora.ask("DELETE", "/v1/configuration")
    assert answer.status == 403
    stranger = Controller(world.sandbox, type(world.sandbox.authority)().issue("controller.actium"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stranger.ask("GET", "/v1/status")
    refused = eventually(lambda: world.controller.status()["refused"])
    assert refused == {"certificates": 1, "handshakes": 1}
    assert world.sandbox.get() in {"one", "two"}


def test_server_certificate_is_replaced_for_new_connections(world):
    issued = world.sandbox.authority.issue(world.sandbox.amphora_id)
    wrong = world.controller.ask("PUT", "/v1/certificate", {"pem": b"no certificate"})
    assert wrong.status == 400
    assert world.controller.ask("PUT", "/v1/certificate", {"pem": issued}).status == 200
    fresh = Controller(world.sandbox, world.sandbox.authority.issue("controller.actium"))
    assert fresh.status()["bundle"] == 1
    shown = fresh._connection.sock.getpeercert(binary_form=True)
    assert ssl.DER_cert_to_PEM_cert(shown).encode().strip() in issued


def test_an_amphora_that_only_holds_connections_open_locks_nobody_out(world):
    pem = world.sandbox.authority.issue(world.sandbox.amphora_id)
    strangers = [Controller(world.sandbox, pem) for _ in range(70)]
    for stranger in strangers:
        with contextlib.suppress(OSError):
            stranger._connection.connect()
    fresh = Controller(world.sandbox, world.sandbox.authority.issue("controller.actium"))
    assert eventually(fresh.status, deadline_s=8)["bundle"] == 1
    assert world.sandbox.log().count("client has not the role") < 20
    for stranger in strangers:
        stranger._connection.close()


def test_wrong_requests_are_answered_by_name(world):
    ask = world.controller.ask
    assert ask("GET", "/v1/nothing").status == 404
    assert ask("POST", "/v1/status").status == 405
    assert ask("PUT", "/v1/configuration", b"\xc1").status == 400
    answer = ask("PUT", "/v1/configuration", world.first | {"bundle": "7"})
    assert (answer.status, "bundle must be an integer" in answer.body["error"]) == (400, True)
    missing = ask("PUT", "/v1/configuration", bundle(9, world.config, [card("fa:16:3e:ff:ff:ff", name="net7")]))
    assert (missing.status, "fa:16:3e:ff:ff:ff" in missing.body["error"]) == (503, True)
    assert world.sandbox.get() in {"one", "two"}
