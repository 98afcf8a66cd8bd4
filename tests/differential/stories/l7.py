"""L7 policies and rules."""

from collections.abc import Iterator
from typing import Any

from differential.story import NOTHING, SUBNET, Story

URL, PREFIX = "https://new.example/a", "https://new.example"
TYPES = ("HOST_NAME", "PATH", "FILE_TYPE", "HEADER", "COOKIE", "SSL_CONN_HAS_CERT", "SSL_VERIFY_RESULT", "SSL_DN_FIELD")
VARIED = ("PATH", "FILE_TYPE", "HEADER", "SSL_DN_FIELD")
COMPARISONS = ("REGEX", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "EQUAL_TO")


class _Place:
    def __init__(self, name: str) -> None:
        self.story = Story(name)
        self.lb = self.story.load_balancer()
        self.listener = self.story.listener(self.lb)
        self.pool = self.story.pool(self.lb)

    def policy(self, name: str, /, **fields: Any) -> None:
        wish = {"listener_id": self.listener, "action": "REJECT", **fields}
        wish = {key: value for key, value in wish.items() if value is not ...}
        self.story.attempt("l7policies", "l7policy", wish, name=name)


def policies() -> Iterator[Story]:
    place = _Place("L7 policies")
    place.policy("reject")
    place.policy("reject with code", redirect_http_code=301)
    place.policy("reject with URL", redirect_url=URL)
    place.policy("reject with pool", redirect_pool_id=place.pool)
    place.policy("to pool", action="REDIRECT_TO_POOL", redirect_pool_id=place.pool)
    place.policy("to pool without pool", action="REDIRECT_TO_POOL")
    place.policy("to unknown pool", action="REDIRECT_TO_POOL", redirect_pool_id=NOTHING)
    place.policy("to pool with URL", action="REDIRECT_TO_POOL", redirect_pool_id=place.pool, redirect_url=URL)
    place.policy("to pool with code", action="REDIRECT_TO_POOL", redirect_pool_id=place.pool, redirect_http_code=301)
    other = place.story.pool(place.story.load_balancer())
    place.policy("to pool of another load balancer", action="REDIRECT_TO_POOL", redirect_pool_id=other)
    udp = place.story.pool(place.lb, protocol="UDP")
    place.policy("to incompatible pool", action="REDIRECT_TO_POOL", redirect_pool_id=udp)
    place.policy("to URL", action="REDIRECT_TO_URL", redirect_url=URL)
    place.policy("to URL without URL", action="REDIRECT_TO_URL")
    place.policy("to URL with pool", action="REDIRECT_TO_URL", redirect_url=URL, redirect_pool_id=place.pool)
    for code in (301, 302, 303, 307, 308, 300, 404, "301", None):
        place.policy(f"to URL with code {code!r}", action="REDIRECT_TO_URL", redirect_url=URL, redirect_http_code=code)
    for url in (
        "ftp://x/",
        "/a",
        "http://",
        "x",
        "http://a b/",
        "http://a/\n",
        "HTTP://A/",
        "http://[::1]/",
        "http://a/ä",
    ):
        place.policy(f"to {url!r}", action="REDIRECT_TO_URL", redirect_url=url)
    place.policy("to prefix", action="REDIRECT_PREFIX", redirect_prefix=PREFIX)
    place.policy("to prefix without prefix", action="REDIRECT_PREFIX")
    place.policy("no action", action=...)
    place.policy("unknown action", action="DROP")
    place.policy("no listener", listener_id=...)
    place.policy("unknown listener", listener_id=NOTHING)
    place.policy("with rules", rules=[{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}])
    place.policy("with no rules", rules=[])
    for position in (0, 1, 5, 2147483647, 2147483648, -1, None):
        place.policy(f"position {position}", position=position)
    for protocol in ("TCP", "UDP", "PROMETHEUS", "HTTPS"):
        listener = place.story.listener(place.lb, protocol=protocol, protocol_port=1000 + len(protocol))
        place.policy(f"of {protocol}", listener_id=listener)
    yield place.story


def positions() -> Iterator[Story]:
    place = _Place("positions of policies")
    story = place.story
    made = [story.policy(place.listener, name=name, is_told=True) for name in ("a", "b", "c")]
    listed = f"l7policies?listener_id={place.listener}&sort=position&fields=name&fields=position"
    story.get(listed)
    made.append(story.policy(place.listener, name="first", position=1, is_told=True))
    story.get(listed)
    made.append(story.policy(place.listener, name="third", position=3, is_told=True))
    story.get(listed)
    for token, position in (
        (made[0], 1),
        (made[3], 4),
        (made[1], 100),
        (made[4], 2147483647),
        (made[2], None),
        (made[2], 0),
    ):
        story.put(
            f"l7policies/{token}", "l7policy", {"position": position, "name": "moved"}, name=f"{token} to {position}"
        )
        story.get(listed)
    story.delete(f"l7policies/{made[1]}")
    story.get(listed)
    story.get(f"listeners/{place.listener}")
    yield story


def policy_changes() -> Iterator[Story]:
    place = _Place("changes of policies")
    story = place.story
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"name": "n"},
        {"name": None, "description": None},
        {"redirect_url": URL},
        {"redirect_http_code": 303},
        {"redirect_http_code": None},
        {"redirect_pool_id": place.pool},
        {"redirect_http_code": 303},
        {"redirect_prefix": PREFIX},
        {"action": "REJECT"},
        {"action": "REDIRECT_TO_URL"},
        {"action": "REDIRECT_TO_POOL"},
        {"action": "REDIRECT_PREFIX"},
        {"action": None},
        {"redirect_pool_id": place.pool, "redirect_url": URL},
        {"action": "REDIRECT_TO_POOL", "redirect_pool_id": place.pool, "redirect_url": URL},
        {"action": "REDIRECT_TO_URL", "redirect_pool_id": place.pool, "redirect_url": URL},
        {"redirect_pool_id": NOTHING},
        {"redirect_url": "x"},
        {"redirect_pool_id": None},
        {"admin_state_up": False},
        {"admin_state_up": None},
        {"tags": ["a"]},
        {"listener_id": place.listener},
        {"rules": []},
        {"action": "REJECT", "redirect_url": URL},
    )
    policy = story.policy(place.listener)
    for change in changes:
        story.put(f"l7policies/{policy}", "l7policy", change, name=f"change {change!r:.90}")
    story.get(f"l7policies/{policy}")
    story.get(f"pools/{place.pool}")
    story.put(f"l7policies/{policy}", "l7policy", {"redirect_url": URL}, is_told=False)
    story.put(f"l7policies/{policy}", "l7policy", {"redirect_url": None}, name="no target any more")
    both = {"action": "REDIRECT_PREFIX", "redirect_prefix": PREFIX, "redirect_url": URL}
    story.put(f"l7policies/{policy}", "l7policy", both, name="prefix and URL")
    yield story


def rules() -> Iterator[Story]:
    place = _Place("L7 rules")
    policy = place.story.policy(place.listener)

    def attempt(name: str, /, **fields: Any) -> None:
        place.story.attempt(f"l7policies/{policy}/rules", "rule", fields, name=name)

    values = {"SSL_CONN_HAS_CERT": "true", "SSL_VERIFY_RESULT": "0"}
    for kind in TYPES:
        for compare in COMPARISONS if kind in VARIED else ("EQUAL_TO", "REGEX"):
            for key in (None, "X-Key") if kind in VARIED else (None,):
                name = f"{kind} {compare} {'with' if key else 'without'} key"
                wish = {"type": kind, "compare_type": compare, "value": values.get(kind, "abc")}
                attempt(name, **wish, **({"key": key} if key else {}))
    for value in (
        "",
        "a b",
        '"a b"',
        "a\nb",
        "a\rb",
        "ä",
        "x" * 255,
        "x" * 256,
        None,
        5,
        "(",
        "a\tb",
        "a;b",
        "a,b",
        "a\\b",
    ):
        for kind in ("PATH", "HEADER", "COOKIE"):
            key = {} if kind == "PATH" else {"key": "k"}
            attempt(f"{kind} value {value!r:.10}", type=kind, compare_type="EQUAL_TO", value=value, **key)
        attempt(f"REGEX {value!r:.10}", type="PATH", compare_type="REGEX", value=value)
    attempt("REGEX of Python's alone", type="PATH", compare_type="REGEX", value=r"\N{DIGIT ONE}")
    for key in ("", "a b", "a:b", "a\n", "ä", "x" * 256, "a_b", "(a)"):
        attempt(f"HEADER key {key!r:.10}", type="HEADER", compare_type="EQUAL_TO", value="v", key=key)
        attempt(f"SSL_DN_FIELD key {key!r:.10}", type="SSL_DN_FIELD", compare_type="EQUAL_TO", value="v", key=key)
    for value in ("True", "TRUE", "false", "1"):
        attempt(f"has certificate {value}", type="SSL_CONN_HAS_CERT", compare_type="EQUAL_TO", value=value)
    for value in ("-1", "x", "1.0", "10"):
        attempt(f"verify result {value}", type="SSL_VERIFY_RESULT", compare_type="EQUAL_TO", value=value)
    for missing in ("type", "compare_type", "value"):
        wish = {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}
        del wish[missing]
        attempt(f"no {missing}", **wish)
    attempt("unknown type", type="METHOD", compare_type="EQUAL_TO", value="/a")
    attempt("unknown comparison", type="PATH", compare_type="LIKE", value="/a")
    attempt("inverted", type="PATH", compare_type="EQUAL_TO", value="/a", invert=True, tags=["t"])
    yield place.story


def rule_changes() -> Iterator[Story]:
    place = _Place("changes of rules")
    story = place.story
    policy, other = story.policy(place.listener), story.policy(place.listener)
    rule = story.rule(policy, is_told=True)
    path = f"l7policies/{policy}/rules/{rule}"
    for change in (
        {"value": "/b"},
        {"value": None},
        {"type": "HEADER"},
        {"type": "HEADER", "key": "X-Key"},
        {"key": None},
        {"compare_type": "REGEX", "value": "("},
        {"compare_type": "REGEX", "value": "a+"},
        {"type": "FILE_TYPE"},
        {"type": "FILE_TYPE", "compare_type": "STARTS_WITH"},
        {"type": "SSL_CONN_HAS_CERT", "compare_type": "EQUAL_TO", "value": "true"},
        {"type": "PATH"},
        {"compare_type": None},
        {"type": None},
        {"invert": True},
        {"invert": None},
        {"admin_state_up": False},
        {"admin_state_up": None},
        {"tags": ["a"]},
        {},
    ):
        story.put(path, "rule", change, name=f"change {change!r:.90}")
    story.get(path)
    story.get(f"l7policies/{policy}")
    story.get(f"l7policies/{policy}/rules")
    story.get(f"l7policies/{other}/rules")
    story.delete(path)
    story.get(path, name="gone")
    one, two = story.rule(policy), story.rule(policy)
    story.get(f"l7policies/{other}/rules/{one}", name="through another policy")
    story.put(f"l7policies/{other}/rules/{one}", "rule", {"value": "/c"}, name="change through another policy")
    story.delete(f"l7policies/{other}/rules/{two}", name="deletion through another policy")
    yield story


def many_rules() -> Iterator[Story]:
    story = Story("more rules than a policy can have")
    rules_ = [{"type": "PATH", "compare_type": "EQUAL_TO", "value": f"/{number}"} for number in range(51)]
    policy = {"action": "REJECT", "rules": rules_}
    listener = {"protocol": "HTTP", "protocol_port": 80, "l7policies": [policy]}
    wish = {"vip_subnet_id": SUBNET, "listeners": [listener]}
    story.attempt("loadbalancers", "loadbalancer", wish, name="one more in a tree")
    yield story


TELLERS = (policies, positions, policy_changes, rules, rule_changes, many_rules)
