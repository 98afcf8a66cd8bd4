"""One spelling for every path."""

import pytest

from actium_api.paths import canonical


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/", "/"),
        ("/load-balancer/", "/"),
        ("/v2", "/v2"),
        ("/v2.0/lbaas/", "/v2"),
        ("/v2/octavia", "/v2"),
        ("/load-balancer/v2.0/lbaas/pools/x/members/", "/v2/pools/x/members"),
        ("/v2.0/loadbalancers.json", "/v2/loadbalancers"),
        ("/v2.0/octavia/amphorae", "/v2/octavia/amphorae"),
        ("/v2.0/lbaas/octavia/amphorae", "/v2.0/lbaas/octavia/amphorae"),
        ("/identity/v3", None),
        ("/operator/v1/services", None),
        ("/v3/loadbalancers", None),
        ("/load-balancers/v2", None),
    ],
)
def test_a_path_has_one_spelling(path: str, meant: str | None) -> None:
    assert canonical(path) == meant
