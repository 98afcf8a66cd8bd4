"""Load balancers that are created with all that belongs to them."""

from collections.abc import Iterator

from differential.story import MEMBER, MONITOR, NOTHING, POOL, PROJECT, RULE, SUBNET, Story

LISTENER = {"name": "l", "protocol": "HTTP", "protocol_port": 80}
NAMED = {"name": "p", **POOL}


def full() -> Iterator[Story]:
    story = Story("a full tree")
    wish = {
        "vip_subnet_id": SUBNET,
        "project_id": PROJECT,
        "tags": ["t"],
        "listeners": [
            {
                **LISTENER,
                "default_pool": {"name": "p"},
                "insert_headers": {"X-Forwarded-For": "true"},
                "tags": ["l"],
                "l7policies": [
                    {
                        "action": "REDIRECT_TO_POOL",
                        "redirect_pool": {"name": "q", **POOL, "members": [MEMBER]},
                        "rules": [RULE],
                    },
                    {"action": "REJECT", "position": 1, "rules": []},
                ],
            },
            {"protocol": "TCP", "protocol_port": 81},
        ],
        "pools": [{**NAMED, "members": [MEMBER, {**MEMBER, "protocol_port": 81}], "healthmonitor": MONITOR}],
    }
    lb = story.post("loadbalancers", "loadbalancer", wish)
    story.get(f"loadbalancers/{lb}")
    for kind in ("listeners", "pools", "healthmonitors", "l7policies"):
        story.get(f"{kind}?sort={'position' if kind == 'l7policies' else 'name'}")
    story.get(f"loadbalancers/{lb}/status")
    yield story


def small() -> Iterator[Story]:
    story = Story("small trees")
    for name, more in {
        "null listeners": {"listeners": None},
        "null pools": {"pools": None},
        "null additional VIPs": {"additional_vips": None},
        "empty lists": {"listeners": [], "pools": [], "additional_vips": []},
        "a listener": {"listeners": [LISTENER]},
        "a pool": {"pools": [NAMED]},
        "a pool of members and monitor": {"pools": [{**NAMED, "members": [MEMBER], "healthmonitor": MONITOR}]},
        "default pool defined in the listener": {"listeners": [{**LISTENER, "default_pool": NAMED}]},
        "default pool named": {"listeners": [{**LISTENER, "default_pool": {"name": "p"}}], "pools": [NAMED]},
        "two listeners of one pool": {
            "listeners": [
                {**LISTENER, "default_pool": {"name": "p"}},
                {**LISTENER, "protocol_port": 81, "default_pool": {"name": "p"}},
            ],
            "pools": [NAMED],
        },
        "null in lists of a listener": {"listeners": [{**LISTENER, "l7policies": None}]},
        "null in lists of a pool": {"pools": [{**NAMED, "members": None, "healthmonitor": None}]},
    }.items():
        _attempt(story, name, more)
    yield story


def wrong() -> Iterator[Story]:
    story = Story("trees that are refused")
    redirect = {"action": "REDIRECT_TO_POOL", "rules": [RULE]}
    for name, more in {
        "a pool without a name": {"pools": [POOL]},
        "two pools of one name": {"pools": [NAMED, NAMED]},
        "a pool without protocol": {"pools": [{"name": "p", "lb_algorithm": "ROUND_ROBIN"}]},
        "a pool without algorithm": {"pools": [{"name": "p", "protocol": "HTTP"}]},
        "a reference to nothing": {"listeners": [{**LISTENER, "default_pool": {"name": "p"}}]},
        "a default pool without a name": {"listeners": [{**LISTENER, "default_pool": POOL}]},
        "a default pool by unknown id": {"listeners": [{**LISTENER, "default_pool_id": NOTHING}]},
        "a listener's port twice": {"listeners": [LISTENER, LISTENER]},
        "a listener without port": {"listeners": [{"protocol": "HTTP"}]},
        "a listener with parent": {"listeners": [{**LISTENER, "loadbalancer_id": NOTHING}]},
        "a pool with parent": {"pools": [{**NAMED, "loadbalancer_id": NOTHING}]},
        "a member with parent": {"pools": [{**NAMED, "members": [{**MEMBER, "pool_id": NOTHING}]}]},
        "a monitor with parent": {"pools": [{**NAMED, "healthmonitor": {**MONITOR, "pool_id": NOTHING}}]},
        "a member twice": {"pools": [{**NAMED, "members": [MEMBER, MEMBER]}]},
        "incompatible protocols": {
            "listeners": [{**LISTENER, "default_pool": {"name": "p", "protocol": "UDP", "lb_algorithm": "ROUND_ROBIN"}}]
        },
        "a policy to nowhere": {"listeners": [{**LISTENER, "l7policies": [redirect]}]},
        "a policy to an unknown name": {
            "listeners": [{**LISTENER, "l7policies": [{**redirect, "redirect_pool": {"name": "q"}}]}]
        },
        "a policy with an id": {"listeners": [{**LISTENER, "l7policies": [{**redirect, "redirect_pool_id": NOTHING}]}]},
        "a bad rule": {
            "listeners": [{**LISTENER, "l7policies": [{"action": "REJECT", "rules": [{**RULE, "value": "a b"}]}]}]
        },
        "a bad monitor": {"pools": [{**NAMED, "healthmonitor": {**MONITOR, "type": "TCP"}}]},
        "a bad member": {"pools": [{**NAMED, "members": [{"address": "x", "protocol_port": 80}]}]},
        "headers of a TCP listener": {
            "listeners": [{"protocol": "TCP", "protocol_port": 80, "insert_headers": {"X-Forwarded-For": "true"}}]
        },
        "not a list": {"listeners": {}},
        "not objects": {"listeners": ["x"]},
    }.items():
        _attempt(story, name, more)
    yield story


def _attempt(story: Story, name: str, more: dict[str, object]) -> None:
    wish = {"vip_subnet_id": SUBNET, "project_id": PROJECT, **more}
    story.attempt("loadbalancers", "loadbalancer", wish, name=name)


TELLERS = (full, small, wrong)
