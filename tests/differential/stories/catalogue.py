"""Providers, flavors, availability zones and their profiles."""

from collections.abc import Iterator
from typing import Any

from differential.story import GROUP, LBAAS, MEMBER, NOTHING, PROVIDER, SUBNET, Story

NIL = "00000000-0000-0000-0000-000000000000"


def providers() -> Iterator[Story]:
    story = Story("providers")
    story.get("providers")
    story.get("providers?fields=name")
    for kind in ("flavor_capabilities", "availability_zone_capabilities"):
        for name in ("amphora", "bogus"):
            story.get(f"providers/{name}/{kind}")
        story.get(f"providers/amphora/{kind}?fields=name")
        story.get(f"providers/amphora/{kind}?name=compute_zone&fields=name")
        story.get(f"providers/amphora/{kind}?name=none")
    story.get("providers/amphora/bogus")
    yield story


def _profile(story: Story, data: str = '{"loadbalancer_topology": "SINGLE"}', **fields: Any) -> str:
    wish = {"name": "p", "provider_name": "amphora", "flavor_data": data, **fields}
    return story.post("flavorprofiles", "flavorprofile", wish, is_told=False)


def flavor_profiles() -> Iterator[Story]:
    story = Story("flavor profiles")
    for name, fields in {
        "plain": {},
        "no data": {"flavor_data": "{}"},
        "data of a wrong type": {"flavor_data": {}},
        "broken data": {"flavor_data": "{"},
        "data that is no object": {"flavor_data": "[]"},
        "data that is a number": {"flavor_data": "5"},
        "unknown key": {"flavor_data": '{"turbo": true}'},
        "bad value": {"flavor_data": '{"loadbalancer_topology": "TRIPLE"}'},
        "all keys": {
            "flavor_data": '{"loadbalancer_topology": "ACTIVE_STANDBY", "compute_flavor": "7", "amp_image_tag": "t",'
            ' "sriov_vip": false, "allow_member_sriov": false}'
        },
        "long data": {"flavor_data": '{"compute_flavor": "' + "x" * 4096 + '"}'},
        "null data": {"flavor_data": None},
        "unknown provider": {"provider_name": "bogus"},
        "null provider": {"provider_name": None},
        "null name": {"name": None},
        "empty name": {"name": ""},
        "long name": {"name": "x" * 256},
        "unknown field": {"colour": "red"},
    }.items():
        wish = {"name": "p", "provider_name": "amphora", "flavor_data": '{"compute_flavor": "7"}', **fields}
        story.attempt("flavorprofiles", "flavorprofile", wish, name=name)
    for missing in ("name", "provider_name", "flavor_data"):
        wish = {"name": "p", "provider_name": "amphora", "flavor_data": "{}"}
        del wish[missing]
        story.attempt("flavorprofiles", "flavorprofile", wish, name=f"no {missing}")
    profile = _profile(story)
    path = f"flavorprofiles/{profile}"
    story.get(path)
    story.get("flavorprofiles")
    for change in (
        {"name": "q"},
        {"name": None},
        {"provider_name": None},
        {"flavor_data": '{"compute_flavor": "8"}'},
        {"flavor_data": "{"},
        {"flavor_data": None},
        {"flavor_data": '{"turbo": 1}'},
        {"id": NOTHING},
        {},
    ):
        story.put(path, "flavorprofile", change, name=f"change {change}")
    story.get(f"{path}?fields=name")
    story.put(path, "flavorprofile", {"provider_name": "bogus"}, name="a provider that there is not")
    story.delete(path)
    for item in (path, f"flavorprofiles/{NIL}"):
        story.get(item)
        story.delete(item)
        story.put(item, "flavorprofile", {"name": "x"})
    yield story


def flavors() -> Iterator[Story]:
    story = Story("flavors")
    profile = _profile(story)
    wish = {"name": "small", "flavor_profile_id": profile}
    for name, fields in {
        "plain": {},
        "description": {"description": "d"},
        "off": {"enabled": False},
        "null enabled": {"enabled": None},
        "null description": {"description": None},
        "null name": {"name": None},
        "empty name": {"name": ""},
        "unknown profile": {"flavor_profile_id": NOTHING},
        "null profile": {"flavor_profile_id": None},
        "bad profile": {"flavor_profile_id": "x"},
        "unknown field": {"colour": "red"},
        "id": {"id": NOTHING},
    }.items():
        story.attempt("flavors", "flavor", {**wish, **fields}, name=name)
    story.attempt("flavors", "flavor", {"name": "x"}, name="no profile")
    story.attempt("flavors", "flavor", {"flavor_profile_id": profile}, name="no name")
    flavor = story.post("flavors", "flavor", wish)
    story.attempt("flavors", "flavor", wish, name="the same name")
    path = f"flavors/{flavor}"
    story.get(path)
    story.get("flavors")
    story.get("flavors?fields=name&enabled=true")
    story.get("flavors?enabled=False")
    for change in (
        {"name": "large"},
        {"description": "d"},
        {"description": None},
        {"enabled": False},
        {"enabled": None},
        {"enabled": True},
        {"flavor_profile_id": profile},
        {},
    ):
        story.put(path, "flavor", change, name=f"change {change}")
    second = story.post("flavors", "flavor", {**wish, "name": "second"}, is_told=False)
    story.put(f"flavors/{second}", "flavor", {"name": "large"}, name="a name that is taken")
    for change in ({"name": "q"}, {"provider_name": "noop_driver"}, {"flavor_data": "{}"}):
        story.put(f"flavorprofiles/{profile}", "flavorprofile", change, name=f"profile in use {change}")
    story.delete(f"flavorprofiles/{profile}", name="profile in use")
    story.put(path, "flavor", {"name": None}, name="null as a name")
    story.delete(path)
    for item in (path, f"flavors/{NIL}"):
        story.get(item)
        story.delete(item)
        story.put(item, "flavor", {"name": "x"})
    yield story


def flavored() -> Iterator[Story]:
    story = Story("load balancers of a flavor")
    profile = _profile(story)
    flavor = story.post("flavors", "flavor", {"name": "f", "flavor_profile_id": profile}, is_told=False)
    off = story.post(
        "flavors", "flavor", {"name": "off", "enabled": False, "flavor_profile_id": profile}, is_told=False
    )
    for name, fields in {
        "flavor": {"flavor_id": flavor},
        "flavor and its provider": {"flavor_id": flavor, "provider": "amphora"},
        "flavor and another provider": {"flavor_id": flavor, "provider": "noop_driver"},
        "flavor that is off": {"flavor_id": off},
    }.items():
        story.attempt("loadbalancers", "loadbalancer", {"vip_subnet_id": SUBNET, **fields}, name=name)
    lb = story.load_balancer(flavor_id=flavor)
    story.get(f"loadbalancers/{lb}")
    story.delete(f"flavors/{flavor}", name="flavor in use")
    story.put(f"loadbalancers/{lb}", "loadbalancer", {"flavor_id": flavor})
    story.delete(f"loadbalancers/{lb}")
    story.delete(f"flavors/{flavor}", name="flavor that was in use")
    yield story


def virtual_functions() -> Iterator[Story]:
    story = Story("SR-IOV")

    def flavor(name: str, data: str) -> str:
        wish = {"name": name, "flavor_profile_id": _profile(story, data, provider_name=PROVIDER)}
        return story.post("flavors", "flavor", wish, is_told=False)

    wish = {"vip_subnet_id": SUBNET, "flavor_id": flavor("virtual", '{"sriov_vip": true}')}
    story.attempt("loadbalancers", "loadbalancer", wish, name="VIP")
    story.attempt("loadbalancers", "loadbalancer", {**wish, "vip_sg_ids": [GROUP]}, name="VIP with security groups")
    allowing = flavor("allowing", '{"allow_member_sriov": true}')
    members = f"pools/{story.pool(story.load_balancer(flavor_id=allowing))}/members"
    for name, asked in {"member": True, "member that does not ask": False}.items():
        story.attempt(members, "member", {**MEMBER, "request_sriov": asked}, name=name)
    story.put(members, "members", [{**MEMBER, "request_sriov": True}], name="members all at once")
    yield story


def zones() -> Iterator[Story]:
    story = Story("availability zones")
    wish = {"name": "p", "provider_name": "amphora", "availability_zone_data": '{"compute_zone": "nova"}'}
    key, path = "availability_zone_profile", "availabilityzoneprofiles"
    for name, fields in {
        "plain": {},
        "broken data": {"availability_zone_data": "{"},
        "data of a wrong type": {"availability_zone_data": {}},
        "unknown key": {"availability_zone_data": '{"turbo": true}'},
        "bad networks": {"availability_zone_data": '{"valid_vip_networks": "x"}'},
        "unknown provider": {"provider_name": "bogus"},
    }.items():
        story.attempt(path, key, {**wish, **fields}, name=f"profile: {name}")
    profile = story.post(path, key, wish)
    story.get(path)
    story.get(f"{path}/{profile}")
    zone = {"name": "az", "availability_zone_profile_id": profile}
    for name, fields in {
        "unknown profile": {"availability_zone_profile_id": NOTHING},
        "null name": {"name": None},
        "empty name": {"name": ""},
        "long name": {"name": "x" * 256},
    }.items():
        wish = {**zone, **fields}
        undone_at = f"{LBAAS}/availabilityzones/{wish['name']}"
        story.ask("POST", "availabilityzones", {"availability_zone": wish}, name=name, undone_at=undone_at)
    for name in ("made", "made again"):
        story.ask("POST", "availabilityzones", {"availability_zone": zone}, name=name)
    story.get("availabilityzones")
    story.get("availabilityzones/az")
    for change in (
        {"description": "d"},
        {"description": None},
        {"enabled": False},
        {"enabled": None},
        {"name": "x"},
        {},
    ):
        story.put("availabilityzones/az", "availability_zone", change, name=f"change {change}")
    story.put("availabilityzones/az", "availability_zone", {"enabled": False}, is_told=False)
    off = {"vip_subnet_id": SUBNET, "availability_zone": "az"}
    story.attempt("loadbalancers", "loadbalancer", {**off, "provider": "amphora"}, name="in a zone that is off")
    story.put("availabilityzones/az", "availability_zone", {"enabled": True}, is_told=False)
    lb = story.load_balancer(availability_zone="az", provider="amphora")
    story.get(f"loadbalancers/{lb}")
    story.delete("availabilityzones/az", name="zone in use")
    story.delete(f"loadbalancers/{lb}", is_told=False)
    story.put(f"{path}/{profile}", key, {"availability_zone_data": "{}"}, name="profile in use")
    story.put(f"{path}/{profile}", key, {"name": "q"})
    story.delete(f"{path}/{profile}", name="profile in use is kept")
    story.delete("availabilityzones/az")
    for item in ("az", NIL, "none"):
        story.get(f"availabilityzones/{item}")
        story.delete(f"availabilityzones/{item}")
        story.put(f"availabilityzones/{item}", "availability_zone", {"description": "x"})
    story.delete(f"{path}/{profile}")
    yield story


TELLERS = (providers, flavor_profiles, flavors, flavored, virtual_functions, zones)
