"""Lists: filters, fields, sorting, pages, tags."""

from collections.abc import Iterator
from typing import Any

from differential.story import NOTHING, OTHER_SUBNET, SUBNET, Story

NAMES = "fields=name"


def _four(story: Story) -> list[str]:
    made = []
    for number, name in enumerate(("delta", "bravo", "alpha", "charlie")):
        tags = ["all", "even" if number % 2 == 0 else "odd", f"n{number}"]
        more: dict[str, Any] = {
            "description": f"{number}",
            "admin_state_up": number != 1,
            "project_id": f"p{number % 2}",
        }
        more |= {"vip_subnet_id": SUBNET if number < 2 else OTHER_SUBNET, "vip_address": f"203.0.113.{10 + number}"}
        made.append(story.load_balancer(name=name, tags=tags, **more))
    return made


def filters() -> Iterator[Story]:
    story = Story("filters")
    made = _four(story)
    for words in (
        "name=alpha",
        "name=none",
        "name=",
        f"id={made[0]}",
        f"id={NOTHING}",
        "id=x",
        "project_id=p1",
        "tenant_id=p1",
        "admin_state_up=true",
        "admin_state_up=False",
        "admin_state_up=FALSE",
        "admin_state_up=maybe",
        "admin_state_up=0",
        f"vip_subnet_id={SUBNET}",
        "vip_address=203.0.113.11",
        "vip_address=203.0.113.11&name=bravo",
        "vip_address=203.0.113.11&name=alpha",
        "vip_port_id=x",
        "vip_network_id=x",
        "vip_qos_policy_id=x",
        "provisioning_status=ACTIVE",
        "provisioning_status=ERROR",
        "provisioning_status=bogus",
        "operating_status=OFFLINE",
        "description=1",
        "flavor_id=",
        "flavor_id=x",
        "availability_zone=x",
        "created_at=x",
        "updated_at=2020-01-01",
        "colour=red",
        "name=a&name=b",
        "listeners=x",
        "vip_sg_ids=x",
        "additional_vips=x",
        "fields=id&fields=name",
        "fields=name,id",
        "fields=bogus",
        "fields=",
        "fields=name&name=alpha",
        "fields=listeners",
    ):
        story.get(f"loadbalancers?{words}" if "fields" in words else f"loadbalancers?{words}&{NAMES}", name=words)
    yield story


def pages() -> Iterator[Story]:
    story = Story("pages")
    made = _four(story)
    for words in (
        "",
        "limit=2",
        "limit=4",
        "limit=5",
        "limit=0",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1.5",
        "limit=2000",
        "limit=infinite",
        f"limit=2&marker={made[1]}",
        f"limit=2&marker={made[3]}",
        f"marker={made[1]}",
        f"marker={NOTHING}",
        "marker=x",
        f"limit=1&marker={made[1]}&page_reverse=True",
        f"limit=2&marker={made[3]}&page_reverse=True",
        f"limit=2&marker={made[3]}&page_reverse=true",
        f"marker={made[2]}&page_reverse=True",
        "limit=2&page_reverse=True",
        "limit=2&sort=name",
        "limit=2&sort=name:desc",
        f"limit=2&sort=name:desc&marker={made[3]}",
        "limit=2&name=alpha",
        "limit=1&sort_key=name&sort_dir=desc",
        f"limit=1&sort_key=name&sort_dir=desc&marker={made[0]}",
    ):
        story.get(f"loadbalancers?{words}&{NAMES}", name=words or "all")
    yield story


def sorting() -> Iterator[Story]:
    story = Story("sorting")
    _four(story)
    for words in (
        "sort=",
        "sort_dir=desc",
        "sort=created_at:desc",
        "sort=name",
        "sort=name:asc",
        "sort=name:desc",
        "sort=name:up",
        "sort=bogus",
        "sort=admin_state_up,name:desc",
        "sort=admin_state_up:desc,name",
        "sort=vip_address:desc",
        "sort=project_id,name",
        "sort=id:asc:x",
        "sort=name:",
        "sort_key=name",
        "sort_key=name&sort_dir=desc",
        "sort_key=name,id&sort_dir=desc",
        "sort_key=project_id,name&sort_dir=desc,asc",
        "sort_key=bogus",
        "sort_key=name&sort_dir=up",
        "sort_key=project_id&sort_key=name",
        "sort=name&sort_key=id",
        "sort=provisioning_status,name",
        "sort=listeners",
        "sort=tags",
    ):
        story.get(f"loadbalancers?{words}&{NAMES}", name=words)
    yield story


def tags() -> Iterator[Story]:
    story = Story("tags")
    _four(story)
    for words in (
        "tags=even",
        "tags=even,n0",
        "tags=even&tags=n0",
        "tags=none",
        "tags=",
        "tags-any=n0,n1",
        "tags-any=n0&tags-any=n3",
        "not-tags=even",
        "not-tags=even,n0",
        "not-tags-any=n0,n1",
        "not-tags=none",
        "tags=all&not-tags=even",
        "tags=even&tags-any=n0,n1",
        "tags_any=n0",
        "tags=even&name=delta",
    ):
        story.get(f"loadbalancers?{words}&{NAMES}&sort=name", name=words)
    story.get("flavors?tags=x")
    yield story


def other_lists() -> Iterator[Story]:
    story = Story("filters of other lists")
    lb = story.load_balancer()
    listener = story.listener(lb, name="l")
    pool = story.pool(lb, name="p")
    member = story.member(pool, name="m")
    monitor = story.monitor(pool, name="h")
    policy = story.policy(listener, name="y")
    rule = story.rule(policy)
    for path, words in {
        "listeners": (
            "name=l",
            "protocol=HTTP",
            "protocol_port=80",
            "protocol_port=81",
            "protocol_port=x",
            f"loadbalancer_id={lb}",
            f"load_balancer_id={lb}",
            "connection_limit=-1",
            "default_pool_id=x",
            "sni_container_refs=x",
            f"id={listener}",
            "tls_versions=x",
            "allowed_cidrs=x",
            "insert_headers=x",
        ),
        "pools": (
            "name=p",
            "lb_algorithm=ROUND_ROBIN",
            f"loadbalancer_id={lb}",
            f"healthmonitor_id={monitor}",
            "session_persistence=x",
            "protocol=TCP",
            f"listener_id={listener}",
            "tls_enabled=false",
        ),
        f"pools/{pool}/members": (
            "name=m",
            "address=192.0.2.10",
            "address=192.0.2.11",
            "ip_address=192.0.2.10",
            "protocol_port=80",
            "weight=1",
            "backup=false",
            "subnet_id=x",
            f"pool_id={pool}",
            f"id={member}",
            "monitor_port=5",
            "operating_status=OFFLINE",
        ),
        "healthmonitors": (
            "name=h",
            "type=HTTP",
            "delay=5",
            f"pool_id={pool}",
            "expected_codes=200",
            "url_path=/",
            "max_retries=2",
        ),
        "l7policies": (
            "name=y",
            "action=REJECT",
            "position=1",
            f"listener_id={listener}",
            "redirect_url=x",
            "redirect_pool_id=x",
        ),
        f"l7policies/{policy}/rules": (
            "type=PATH",
            "value=/a",
            "invert=false",
            "key=x",
            f"id={rule}",
            f"l7policy_id={policy}",
            "compare_type=REGEX",
            "name=x",
        ),
        "providers": ("name=amphora", "bogus=x"),
        "flavorprofiles": ("name=x", "provider_name=x", "bogus=x"),
        "availabilityzones": ("name=x", "enabled=true", "bogus=x", "marker=x", "limit=1", "sort=name"),
    }.items():
        for each in words:
            story.get(f"{path}?{each}&fields=name" if path != "providers" else f"{path}?{each}")
    yield story


TELLERS = (filters, pages, sorting, tags, other_lists)
