"""What is taken for a reference to a secret in Barbican."""

import pytest

from actium_shared.secret_refs import in_barbican

ID = "0f3a1d8e-1111-4222-8333-444455556666"


@pytest.mark.parametrize(
    "ref",
    [
        f"https://barbican.example/v1/containers/{ID}",
        f"http://10.0.0.5:9311/v1/secrets/{ID}/",
        f"https://cloud.example/key-manager/v1/secrets/{ID}",
        f"v1/secrets/{ID}",
    ],
)
def test_what_barbican_calls_its_things_is_known(ref: str) -> None:
    named = in_barbican(ref)
    assert named is not None
    assert named[1] == ID


@pytest.mark.parametrize(
    "ref",
    [
        "web",
        f"https://barbican.example/v1/orders/{ID}",
        f"https://barbican.example/v1/secrets/{ID}/payload",
        f"https://barbican.example/v1/secrets/../containers/{ID}",
        f"https://barbican.example/v1/secrets/{ID}?x=1",
        f"file:///v1/secrets/{ID}",
    ],
)
def test_all_else_is_no_reference_to_it(ref: str) -> None:
    assert in_barbican(ref) is None
