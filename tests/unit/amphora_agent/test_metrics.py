"""haproxy's figures under the API's names."""

import pytest

from actium_amphora_agent.metrics import machine, translate, translated

EXPOSED = """\
# HELP haproxy_process_max_connections Hard limit.
# TYPE haproxy_process_max_connections gauge
haproxy_process_max_connections 500
# TYPE haproxy_process_jobs gauge
haproxy_process_jobs 7
# TYPE haproxy_frontend_status gauge
haproxy_frontend_status{proxy="l1",state="UP"} 1
haproxy_frontend_status{proxy="_exporter",state="UP"} 1
haproxy_backend_active_servers{proxy="p1:l1"} 2
haproxy_server_status{proxy="p1:l1",server="m1",state="UP"} 1
haproxy_server_status{proxy="_metrics",server="agent",state="UP"} 1
"""


def test_names_labels_and_comments_are_the_apis() -> None:
    assert translated(EXPOSED).splitlines() == [
        "# HELP octavia_loadbalancer_max_connections Hard limit.",
        "# TYPE octavia_loadbalancer_max_connections gauge",
        "octavia_loadbalancer_max_connections 500",
        "# TYPE octavia_listener_status gauge",
        'octavia_listener_status{listener="l1",state="UP"} 1',
        'octavia_pool_active_members{pool="p1:l1"} 2',
        'octavia_member_status{pool="p1:l1",member="m1",state="UP"} 1',
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("haproxy_process_pool_allocated_bytes", "octavia_memory_pool_allocated_bytes"),
        ("haproxy_process_current_frontend_ssl_key_rate", "octavia_loadbalancer_current_frontend_ssl_key_rate"),
        ("haproxy_process_uptime_seconds", None),
        ("haproxy_frontend_bytes_in_total", "octavia_listener_bytes_in_total"),
        ("haproxy_frontend_internal_errors_total", None),
        ("haproxy_backend_server_aborts_total", "octavia_pool_member_aborts_total"),
        ("haproxy_backend_agg_server_status", None),
        ("haproxy_backend_weight", None),
        ("haproxy_server_weight", "octavia_member_weight"),
        ("haproxy_server_server_aborts_total", "octavia_member_server_aborts_total"),
        ("haproxy_server_safe_idle_connections_current", None),
        ("something_else", None),
    ],
)
def test_each_figure_has_its_name_or_is_not_told(name: str, told: str | None) -> None:
    assert translate(name) == told


def test_the_machines_own_figures_are_percentages() -> None:
    values = dict(line.split() for line in machine().splitlines() if not line.startswith("#"))
    assert 0 < float(values["octavia_loadbalancer_memory"]) < 100
    assert float(values["octavia_loadbalancer_cpu"]) >= 0
