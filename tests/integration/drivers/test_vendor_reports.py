"""What other vendors' drivers report over octavia-lib's sockets: statuses and statistics, taken or refused by name."""

from collections.abc import Callable
from typing import Any

import pytest
from octavia_lib.api.drivers.driver_lib import DriverLibrary
from octavia_lib.api.drivers.exceptions import UpdateStatisticsError, UpdateStatusError

from builders import an_id
from integration.drivers.conftest import Site
from integration.drivers.vendors import LBS, active, create, served, shown

FIGURES = {
    "active_connections": 2,
    "bytes_in": 10,
    "bytes_out": 20,
    "request_errors": 1,
    "total_connections": 5,
}


async def test_a_driver_may_report_before_its_call_has_returned(site: Site) -> None:
    made = await create(site, name="eager")
    assert made["provisioning_status"] == "ACTIVE"


async def test_only_those_whom_the_mode_names_may_open_the_sockets(site: Site) -> None:
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in site.sockets.iterdir()} == dict.fromkeys(
        ("status.sock", "stats.sock", "get.sock"), "0o660"
    )


async def test_statistics_that_the_driver_reports_are_shown_and_replace_the_last(site: Site) -> None:
    lb_id = (await served(site, listeners=[{"protocol": "TCP", "protocol_port": 80}]))["id"]
    ((listener,),) = await shown(site, f"{LBS}/{lb_id}", "listeners")
    for total in (7, 5):
        record = {"id": listener["id"], **FIGURES, "total_connections": total}
        statistics = {"listeners": [record]}
        await site.driver(lambda library, told=statistics: library.update_listener_statistics(told))

        async def is_shown(wanted: int = total) -> bool:
            found = (await site.client.get(f"{LBS}/{lb_id}/stats")).json()["stats"]
            return found == {**FIGURES, "total_connections": wanted}

        await site.until(is_shown)


async def test_a_report_that_cannot_be_taken_is_refused_by_name(site: Site) -> None:
    unknown = an_id("unknown")
    with pytest.raises(UpdateStatusError) as refused:
        await site.report(members=[{"id": unknown, "operating_status": "ONLINE"}])
    assert (refused.value.status_object, refused.value.status_object_id) == ("members", unknown)
    await site.report(members=[{"id": unknown, "provisioning_status": "DELETED"}])  # it is not missed
    ours = await create(site, provider="actium")
    with pytest.raises(UpdateStatusError, match="Actium's own"):
        await active(site, ours["id"])
    with pytest.raises(UpdateStatisticsError, match="'bytes_in' is missing"):
        await site.driver(lambda library: library.update_listener_statistics({"listeners": [{"id": unknown}]}))


async def test_figures_of_what_is_ours_are_refused_and_of_what_shall_go_are_taken_until_it_is_gone(site: Site) -> None:
    def told(listener: dict[str, Any], total: int) -> Callable[[DriverLibrary], None]:
        record = {"id": listener["id"], **FIGURES, "total_connections": total}
        return lambda library: library.update_listener_statistics({"listeners": [record]})

    tcp = {"protocol": "TCP", "protocol_port": 80}
    ours = await create(site, provider="actium", listeners=[tcp])
    ((listener,),) = await shown(site, f"{LBS}/{ours['id']}", "listeners")
    with pytest.raises(UpdateStatisticsError, match="Actium's own"):
        await site.driver(told(listener, 7))

    path = f"{LBS}/{(await served(site, listeners=[tcp]))['id']}"
    ((listener,),) = await shown(site, path, "listeners")
    assert (await site.client.delete(path, params={"cascade": "true"})).status_code == 204
    await site.driver(told(listener, 8))

    async def is_shown() -> bool:
        found = (await site.client.get(f"{path}/stats")).json()["stats"]
        return bool(found["total_connections"] == 8)

    await site.until(is_shown)
