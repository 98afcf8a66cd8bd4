"""Health monitors as clients send them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from actium_api.faults import Fault
from actium_api.schemas.fields import (
    Body,
    Codes,
    Create,
    Flag,
    HostName,
    Number,
    ProjectName,
    Tags,
    Text,
    UrlPath,
    Uuid,
    Whole,
    changes,
)
from actium_api.settings import ApiSettings
from actium_shared.commands.planner import HealthMonitorChanges
from actium_shared.ids import HealthMonitorId
from actium_shared.wishes import HealthMonitor

Type = Literal["HTTP", "HTTPS", "PING", "SCTP", "TCP", "TLS-HELLO", "UDP-CONNECT"]
Method = Literal["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
HTTP_TYPES = ("HTTP", "HTTPS")
HTTP_DEFAULTS: Mapping[str, str] = {"http_method": "GET", "url_path": "/", "expected_codes": "200"}
NAMES = {"delay": "delay_s", "timeout": "timeout_s"}


def _version(value: float) -> float:
    if value not in (1.0, 1.1):
        raise ValueError("Value should be 1.0 or 1.1")
    return value


Seconds = Annotated[Whole, Field(ge=0)]
Tries = Annotated[Whole, Field(ge=1, le=10)]
HttpVersion = Annotated[Number, AfterValidator(_version)]


class NestedHealthMonitor(Create):
    """A monitor in a load balancer's create."""

    name: Text = ""
    type: Type
    delay: Seconds
    timeout: Seconds
    max_retries: Tries
    max_retries_down: Tries = 3
    http_method: Method | None = None
    url_path: UrlPath | None = None
    expected_codes: Codes | None = None
    admin_state_up: Flag = True
    tags: Tags = ()
    http_version: HttpVersion | None = None
    domain_name: HostName | None = None

    def wish(self, monitor_id: str) -> HealthMonitor:
        """Give the monitor that is wished for."""
        http: dict[str, Any] = dict(HTTP_DEFAULTS) if self.type in HTTP_TYPES else {}
        http |= {name: getattr(self, name) for name in HTTP_DEFAULTS if getattr(self, name) is not None}
        return HealthMonitor(
            id=HealthMonitorId(monitor_id),
            type=self.type,
            delay_s=self.delay,
            timeout_s=self.timeout,
            max_retries=self.max_retries,
            name=self.name,
            max_retries_down=self.max_retries_down,
            http_version=self.http_version,
            domain_name=self.domain_name,
            admin_state_up=self.admin_state_up,
            tags=self.tags,
            **http,
        )


class HealthMonitorPost(NestedHealthMonitor):
    """A monitor for a pool that exists."""

    pool_id: Uuid
    project_id: ProjectName | None = None
    tenant_id: ProjectName | None = None


class HealthMonitorPut(Body):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {
        "name": "",
        "max_retries_down": 3,
        "admin_state_up": False,
        "tags": (),
        **HTTP_DEFAULTS,
    }

    name: Text = ""
    delay: Seconds = 0
    timeout: Seconds = 0
    max_retries: Tries = 1
    max_retries_down: Tries = 3
    http_method: Method | None = None
    url_path: UrlPath | None = None
    expected_codes: Codes | None = None
    admin_state_up: Flag = True
    tags: Tags = ()
    http_version: HttpVersion | None = None
    domain_name: HostName | None = None

    def changes(self) -> HealthMonitorChanges:
        """Give what shall change."""
        return HealthMonitorChanges(**changes(self, NAMES))


def check(body: NestedHealthMonitor, settings: ApiSettings) -> None:
    """
    Refuse what is invalid by itself.

    Raises:
        Fault: 400.
    """
    if body.type == "PING" and not settings.allow_ping_health_monitors:
        raise Fault(400, "type PING is disabled by the administrator.")
    _check_http_fields(body, body.type)
    _check_domain(body.domain_name, body.http_version)
    _check_delay(body.delay, body.type, settings)


def check_change(
    body: HealthMonitorPut, *, monitor_type: str, stored: Mapping[str, Any], settings: ApiSettings
) -> None:
    """
    Like `check`, for a change of a monitor that has `monitor_type`; `stored` is what it shows.

    Raises:
        Fault: 400.
    """
    _check_http_fields(body, monitor_type)
    if "delay" in body.model_fields_set:
        _check_delay(body.delay, monitor_type, settings)
    if body.model_fields_set & {"domain_name", "http_version"}:
        sent = {**stored, **{name: getattr(body, name) for name in body.model_fields_set}}
        _check_domain(sent["domain_name"], sent["http_version"])


def _check_http_fields(body: Body, monitor_type: str) -> None:
    wrong = sorted(body.model_fields_set & set(HTTP_DEFAULTS))
    if wrong and monitor_type not in HTTP_TYPES:
        raise Fault(400, f"{wrong[0]} is for health monitors of type HTTP and HTTPS, not {monitor_type}.")


def _check_domain(domain_name: str | None, http_version: float | None) -> None:
    if domain_name is not None and http_version != 1.1:
        raise Fault(400, f"domain_name needs http_version 1.1, which is {http_version}.")


def _check_delay(delay: int, monitor_type: str, settings: ApiSettings) -> None:
    least = settings.udp_connect_min_interval_health_monitor
    if monitor_type == "UDP-CONNECT" and delay < least:
        raise Fault(400, f"delay of a UDP-CONNECT monitor must be at least {least}.")
