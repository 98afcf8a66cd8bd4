"""What is read in HTTP: policies and rules, headers that are inserted. Real packets."""

import pytest

from actium_shared.wishes import L7PolicyWish, L7Rule
from system.features.origin import Origin
from system.features.scene import OTHER_CLIENTS, Answer, Scene, a_listener, a_member, a_policy, a_pool, a_rule

pytestmark = pytest.mark.root

ANYTHING = a_rule("PATH", "STARTS_WITH", "/")


@pytest.fixture
def web(scene: Scene) -> Origin:
    return scene.origin("web")


@pytest.fixture
def other(scene: Scene) -> Origin:
    return scene.origin("other")


def policed(scene: Scene, web: Origin, *policies: L7PolicyWish, other: Origin | None = None, **fields: object) -> None:
    pool = a_pool(a_member(web))
    pools = (pool,) if other is None else (pool, a_pool(a_member(other), name="other"))
    scene.apply(a_listener(pool, **fields), pools=pools, policies=policies)


def to_other(position: int, *rules: L7Rule, **fields: object) -> L7PolicyWish:
    return a_policy(position, "REDIRECT_TO_POOL", *rules, redirect_pool_id=a_pool(name="other").pool.id, **fields)


@pytest.mark.parametrize(
    ("rule", "matching", "passing"),
    [
        (a_rule("PATH", "EQUAL_TO", "/a"), {"path": "/a"}, {"path": "/a/b"}),
        (a_rule("PATH", "STARTS_WITH", "/a"), {"path": "/ab"}, {"path": "/A"}),
        (a_rule("PATH", "ENDS_WITH", "/z"), {"path": "/a/z?q"}, {"path": "/a/zz"}),
        (a_rule("PATH", "CONTAINS", "'}%20if"), {"path": "/a'}%20if"}, {"path": "/a"}),
        (a_rule("PATH", "REGEX", r"^/v[0-9]+/"), {"path": "/v12/x"}, {"path": "/vx/"}),
        (a_rule("FILE_TYPE", "EQUAL_TO", "jpg"), {"path": "/x/a.jpg"}, {"path": "/jpg"}),
        (a_rule("FILE_TYPE", "REGEX", "^jpe?g$"), {"path": "/a.b.jpeg"}, {"path": "/jpeg/x.png"}),
        (a_rule("HOST_NAME", "EQUAL_TO", "www.example.com"), {"Host": "WWW.example.com:80"}, {"Host": "example.com"}),
        (a_rule("HOST_NAME", "ENDS_WITH", ".example.com"), {"Host": "a.example.com"}, {"Host": "example.com.org"}),
        (a_rule("HOST_NAME", "STARTS_WITH", "WWW."), {"Host": "www.a.example"}, {"Host": "a.www.example"}),
        (a_rule("HOST_NAME", "CONTAINS", "shop"), {"Host": "my-SHOP.example:8080"}, {"Host": "example.com"}),
        (a_rule("HOST_NAME", "REGEX", r"^v[0-9]+\.example$"), {"Host": "v12.example:80"}, {"Host": "v.example"}),
        (a_rule("HEADER", "EQUAL_TO", "mobile", key="X-Kind"), {"X_Kind": "mobile"}, {"X_Kind": "Mobile"}),
        (a_rule("HEADER", "CONTAINS", '"a, b"', key="X-Kind"), {"X_Kind": "1 a, b 2"}, {"X_Kind": "a b"}),
        (a_rule("HEADER", "STARTS_WITH", "-i", key="X'Kind"), {"X'Kind": "-ix"}, {}),
        (a_rule("HEADER", "ENDS_WITH", "GMT", key="X-Kind"), {"X_Kind": "Sun, 1 GMT"}, {"X_Kind": "GMT+1"}),
        (a_rule("HEADER", "REGEX", "^[0-9]{2}$", key="x-kind"), {"X_Kind": "a, 42"}, {"X_Kind": "421"}),
        (a_rule("COOKIE", "EQUAL_TO", "b", key="taste"), {"Cookie": "taste=b; x=1"}, {"Cookie": "Taste=b"}),
        (a_rule("COOKIE", "STARTS_WITH", "b", key="taste"), {"Cookie": "x=1; taste=bb"}, {"Cookie": "x=b; taste=ab"}),
        (a_rule("COOKIE", "ENDS_WITH", "b", key="taste"), {"Cookie": "taste=ab"}, {"Cookie": "taste=ba"}),
        (a_rule("COOKIE", "CONTAINS", "b=", key="taste"), {"Cookie": "taste=ab=c"}, {"Cookie": "taste=b"}),
        (a_rule("COOKIE", "REGEX", "^b+$", key="taste"), {"Cookie": "x=1; taste=bb"}, {"Cookie": "taste=ab"}),
        (a_rule("PATH", "EQUAL_TO", "/a", invert=True), {"path": "/b"}, {"path": "/a"}),
        (a_rule("HEADER", "EQUAL_TO", "1", key="X-Kind", invert=True), {}, {"X_Kind": "1"}),
    ],
    ids=lambda value: f"{value.type}-{value.compare_type}" if isinstance(value, L7Rule) else "",
)
def test_a_rule_matches_what_it_says(
    scene: Scene, web: Origin, rule: L7Rule, matching: dict[str, str], passing: dict[str, str]
) -> None:
    policed(scene, web, a_policy(1, "REJECT", rule))
    assert scene.get(**matching).status == 403
    assert scene.get(**passing).status == 200


def test_all_rules_of_a_policy_must_match(scene: Scene, web: Origin) -> None:
    rules = (a_rule("PATH", "STARTS_WITH", "/a"), a_rule("HEADER", "EQUAL_TO", "1", key="X-One"))
    policed(scene, web, a_policy(1, "REJECT", *rules))
    assert [scene.get("/a").status, scene.get(X_One="1").status, scene.get("/a", X_One="1").status] == [200, 200, 403]


def test_redirects_go_where_they_should_with_their_codes(scene: Scene, web: Origin) -> None:
    def target(answer: Answer) -> tuple[int, str]:
        return answer.status, answer.headers["Location"]

    url = "https://example.com/%20%[src]/'a'?b={c}&d=$HOME"
    policed(
        scene,
        web,
        a_policy(1, "REDIRECT_TO_URL", a_rule("PATH", "EQUAL_TO", "/url"), redirect_url=url),
        a_policy(
            2,
            "REDIRECT_PREFIX",
            a_rule("PATH", "STARTS_WITH", "/prefix"),
            redirect_prefix="https://new.example.com:8443",
            redirect_http_code=308,
        ),
    )
    assert target(scene.get("/url?x")) == (302, url)
    assert target(scene.get("/prefix/a?b=c")) == (308, "https://new.example.com:8443/prefix/a?b=c")
    assert scene.get("/").server == "web"


def test_every_code_of_a_redirect_is_told(scene: Scene, web: Origin) -> None:
    codes = (301, 302, 303, 307, 308)
    redirects = (
        a_policy(at, "REDIRECT_TO_URL", a_rule("PATH", "EQUAL_TO", f"/{code}"), redirect_url="https://example.com/",
                 redirect_http_code=code)
        for at, code in enumerate(codes, 1)
    )  # fmt: skip
    policed(scene, web, *redirects)
    assert [scene.get(f"/{code}").status for code in codes] == list(codes)


def test_a_pool_is_chosen_and_the_default_serves_the_rest(scene: Scene, web: Origin, other: Origin) -> None:
    policed(scene, web, to_other(1, a_rule("PATH", "STARTS_WITH", "/other")), other=other)
    assert scene.get("/other/x").server == "other"
    assert scene.get("/").server == "web"


def test_the_first_policy_that_matches_wins_whatever_it_does(scene: Scene, web: Origin, other: Origin) -> None:
    policed(scene, web, to_other(1, ANYTHING), a_policy(2, "REJECT", ANYTHING), other=other)
    assert scene.get().server == "other"
    policed(scene, web, to_other(2, ANYTHING), a_policy(1, "REJECT", ANYTHING), other=other)
    assert scene.get().status == 403


def test_what_is_switched_off_or_without_rules_is_not_there(scene: Scene, web: Origin, other: Origin) -> None:
    policed(
        scene,
        web,
        a_policy(1, "REJECT", ANYTHING, admin_state_up=False),
        a_policy(2, "REJECT"),
        a_policy(3, "REJECT", a_rule("PATH", "STARTS_WITH", "/", admin_state_up=False), name="x"),
    )
    assert scene.get().server == "web"
    pools = (a_pool(a_member(web)), a_pool(a_member(other), name="other", admin_state_up=False))
    scene.apply(a_listener(pools[0]), pools=pools, policies=(to_other(1, ANYTHING),))
    assert scene.get().server == "web"


def test_headers_are_inserted(scene: Scene, web: Origin) -> None:
    wanted = ("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-IP", "X-Client-IP", "X-Real-IP")
    policed(scene, web, insert_headers=dict.fromkeys(wanted, "true"), protocol_port=8080)
    client = OTHER_CLIENTS[2]
    headers = scene.get(to_port=8080, source=client, X_Real_IP="spoofed").arrived["headers"]
    assert [headers[name.lower()] for name in wanted] == [client, "8080", "http", client, client, client]
    policed(scene, web, insert_headers={"X-Forwarded-For": "false"})
    assert not any(name.startswith("x-") for name in scene.get().arrived["headers"])
