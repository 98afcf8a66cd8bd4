"""The list of secrets: what the events say, and which load balancers name each, wherever they name it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from actium_api.read_model import secrets_kept
from actium_api.read_model.secrets_kept import KeptSecret, LoadBalancerName
from actium_shared.events.load_balancer import (
    ListenerCreated,
    ListenerRemoved,
    LoadBalancerCreated,
    PoolCreated,
    RoundEnded,
)
from actium_shared.events.secret import SecretDeleted, SecretStored
from actium_shared.ids import ProjectId, SecretRef
from builders import LB, LISTENER, listener, load_balancer, pool
from unit.api.given import ReadModel

REF, OTHER = SecretRef("actium:secret/1"), SecretRef("actium:secret/2")


def stored(**fields: Any) -> SecretStored:
    defaults: dict[str, Any] = {
        "secret_ref": REF,
        "project_id": ProjectId("p"),
        "name": "web",
        "kind": "certificate",
        "digest": "d1",
        "expires_at": datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
    return SecretStored(**(defaults | fields))


@pytest.fixture
def model() -> ReadModel:
    return ReadModel()


def kept(model: ReadModel) -> list[KeptSecret]:
    with model.database.engine.connect() as connection:
        return secrets_kept.kept(connection)


def found(model: ReadModel, ref: SecretRef) -> KeptSecret | None:
    with model.database.engine.connect() as connection:
        return secrets_kept.find(connection, ref)


def test_a_secret_is_shown_as_it_was_stored_last(model: ReadModel) -> None:
    model.happened(stored(), owner="compute")
    model.happened(stored(digest="d2", name="new", expires_at=None), owner="compute")
    (one,) = kept(model)
    assert (one.ref, one.name, one.kind, one.digest, one.expires_at) == (REF, "new", "certificate", "d2", None)
    assert one == found(model, REF)


def test_times_are_shown_as_everywhere(model: ReadModel) -> None:
    model.happened(stored(), owner="compute")
    (one,) = kept(model)
    assert (one.expires_at, one.stored_at) == ("2027-01-02T03:04:05", "2026-11-22T06:00:01")


def test_a_deleted_secret_is_shown_no_more(model: ReadModel) -> None:
    model.happened(stored(), owner="compute")
    model.happened(SecretDeleted(secret_ref=REF), owner="compute")
    assert kept(model) == []
    assert found(model, REF) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": REF},
        {"protocol": "TERMINATED_HTTPS", "sni_container_refs": (OTHER, REF)},
        {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": OTHER, "client_crl_container_ref": REF},
        {"protocol": "PROMETHEUS", "default_tls_container_ref": OTHER, "client_ca_tls_container_ref": REF},
    ],
)
def test_a_load_balancer_uses_what_its_listeners_name_until_they_are_gone(
    model: ReadModel, fields: dict[str, Any]
) -> None:
    model.happened(stored(), owner="compute")
    named = listener(**fields)
    model.happened(
        LoadBalancerCreated(load_balancer_id=LB, generation=1, load_balancer=load_balancer(name="lb")),
        ListenerCreated(load_balancer_id=LB, generation=1, listener=named),
    )
    (one,) = kept(model)
    assert one.used_by == (LoadBalancerName(id=LB, name="lb"),)
    model.happened(ListenerRemoved(load_balancer_id=LB, generation=2, listener_id=LISTENER))
    assert kept(model)[0].used_by  # amphorae still have it
    model.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert kept(model)[0].used_by == ()


@pytest.mark.parametrize("field", ["tls_container_ref", "ca_tls_container_ref", "crl_container_ref"])
def test_it_uses_what_its_pools_name_too(model: ReadModel, field: str) -> None:
    model.happened(stored(), owner="compute")
    named = pool(**{"ca_tls_container_ref": OTHER, field: REF})  # a CRL never comes without its CA
    model.happened(
        LoadBalancerCreated(load_balancer_id=LB, generation=1, load_balancer=load_balancer(name="lb")),
        PoolCreated(load_balancer_id=LB, generation=1, pool=named),
    )
    (one,) = kept(model)
    assert one.used_by == (LoadBalancerName(id=LB, name="lb"),)
