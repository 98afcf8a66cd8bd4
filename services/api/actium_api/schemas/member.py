"""Members as clients send them, one by one or the whole list."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from actium_api.faults import invalid
from actium_api.schemas.fields import Address, Body, Create, Flag, Port, ProjectName, Tags, Text, Uuid, Whole, changes
from actium_api.settings import ApiSettings
from actium_shared.commands.planner import MemberChanges
from actium_shared.ids import MemberId, SubnetId
from actium_shared.wishes import NORMAL, SRIOV, Member

Weight = Annotated[Whole, Field(ge=0, le=256)]


class NestedMember(Create):
    """A member in a load balancer's create."""

    name: Text = ""
    admin_state_up: Flag = True
    address: Address
    protocol_port: Port
    weight: Weight = 1
    backup: Flag = False
    subnet_id: Uuid | None = None
    monitor_address: Address | None = None
    monitor_port: Port | None = None
    tags: Tags = ()
    request_sriov: Flag = False

    def wish(self, member_id: str) -> Member:
        """Give the member that is wished for."""
        return Member(
            id=MemberId(member_id),
            address=self.address,
            protocol_port=self.protocol_port,
            name=self.name,
            admin_state_up=self.admin_state_up,
            weight=self.weight,
            backup=self.backup,
            subnet_id=None if self.subnet_id is None else SubnetId(self.subnet_id),
            monitor_address=self.monitor_address,
            monitor_port=self.monitor_port,
            tags=self.tags,
            vnic_type=SRIOV if self.request_sriov else NORMAL,
        )


class MemberPost(NestedMember):
    """A member of a pool that exists."""

    project_id: ProjectName | None = None
    tenant_id: ProjectName | None = None


class MemberPut(Body):
    NULL_MEANS: ClassVar[Mapping[str, object]] = {
        "name": "",
        "admin_state_up": False,
        "weight": 1,
        "backup": False,
        "tags": (),
    }

    name: Text = ""
    admin_state_up: Flag = True
    weight: Weight = 1
    backup: Flag = False
    monitor_address: Address | None = None
    monitor_port: Port | None = None
    tags: Tags = ()

    def changes(self) -> MemberChanges:
        """Give what shall change."""
        return MemberChanges(**changes(self, {}))


def check(body: NestedMember, settings: ApiSettings) -> None:
    """
    Refuse what is invalid by itself.

    Raises:
        Fault: 400.
    """
    if ipaddress.ip_address(body.address) in {ipaddress.ip_address(each) for each in settings.reserved_ips}:
        raise invalid("address", body.address, "This address is reserved.")
