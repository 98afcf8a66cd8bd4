"""
The differences from upstream that are meant, each with its reason. This table is closed: a difference that is not in
it fails the test, and so does an entry that nothing matches any more.
"""

import re
from dataclasses import dataclass

from differential.comparing import ABSENT, Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """Regular expressions, each for the whole text; `strict` says in which mode only, if not in both."""

    why: str
    where: str
    what: str = "status"
    upstream: str = ".*"
    ours: str = ".*"
    strict: bool | None = None

    def matches(self, difference: Difference, *, strict: bool) -> bool:
        return self.strict in (None, strict) and all(
            re.fullmatch(pattern, text, re.DOTALL)
            for pattern, text in (
                (self.what, difference.what),
                (self.where, difference.where),
                (self.upstream, difference.upstream),
                (self.ours, difference.ours),
            )
        )


NOT_A_LOCK = "a load balancer is not a lock: a change is taken, and merged into the next round"
NO_ROUND = "names, descriptions and tags are nothing that machines have to learn: they are in force at once"
PRECISE = "upstream breaks down at a client's mistake; we say what is wrong"
USEFUL = "upstream breaks down where there is nothing wrong"
NULL_IS_ABSENT = "null in a creation is as good as not sent; upstream keeps the null"
NULL_REFERENCE = "null names nothing, so it is a value that is missing; upstream looks for an object without an id"
NO_NETWORK = "upstream's no-op network knows no network of a subnet, makes no additional ports and refuses every port"
NO_AUTHORITY = "upstream's no-op certificate manager has no authority or revocation list that its checks would take"
NUMBERS = "a number is no address, whatever it may be converted to"
SAFE = "what is written into a configuration holds nothing that could end a line or a word there"
SCTP = "our data plane cannot carry SCTP, and says so"
SSLV3 = "no TLS library that amphorae could have speaks SSLv3, and we say so where nothing else is allowed"
SRIOV = "no amphora has SR-IOV ports yet, and we say so"
COOKIES = "what reads no HTTP reads no cookies, so clients would be kept nowhere"
FAMILY = "our provider answers as upstream's amphora provider does: datagrams stay in their family"
EXPRESSIONS = "haproxy reads regular expressions as PCRE2 does, and we say where it cannot"
L7_ON_HTTP = "our provider answers as upstream's amphora provider does: policies need HTTP"
FILTERS = "a filter that can match nothing is a mistake: no such value, or no simple field"
INNER_FILTERS = "a filter has the name of a field of the reply, not that of a column of upstream's database"
NO_SELECTION = "an unknown path below an object is not there; upstream gives an empty object"
METHODS = "405 names the methods that the path has; upstream reads these as actions of another resource"
FIELDS_OF_PATH = "a path that does not exist is refused before its object is looked for"
REVERSED = "a page in reverse is the nearest one before the marker; upstream gives the first"
WHOLE_LINK = "a link to the next page keeps the direction of sorting; upstream drops it"
NO_LINK = "no limit, no next page; upstream links to one with limit=None"
PROVIDERS = "other providers, other words"
MORE_OPTIONS = "our flavors can say more: spares, front ends, drivers"
LIST_QUOTAS = "in the list of quotas a limit that was never set is null; upstream fills in -1 with the first one set"
QUOTA_FIELDS = "quotas can be asked for by field like everything else"
TREE_MEMBERS = "a member whose pool is created with a monitor has one from the start"
TREE_QUOTAS = "quotas of policies and rules hold for trees too"
EMPTY_TLS = "what ends no TLS has no versions, ciphers or protocols"
LATE_TLS = "TLS that is turned on later gets the site's defaults as if from the start"
KEPT_TLS = "a listener that ends TLS keeps a certificate, and HSTS its age"
OTHER_POLICY = "a rule is found below its own policy only"
DETACHED = "a pool that is leaving is no listener's any more"

TABLE: tuple[Intended, ...] = (
    # States
    Intended(
        why=NOT_A_LOCK,
        where="(what is taken|deletions) in the midst of a change / .*",
        upstream="409",
        ours="20[0124]",
        strict=False,
    ),
    Intended(
        why=NO_ROUND,
        where=".* / (?!.*GET).*",
        what=r"body\.\w+\.provisioning_status",
        upstream='"PENDING_UPDATE"',
        ours='"ACTIVE"',
    ),
    Intended(
        why="a deletion that is asked for again is the same wish",
        where="a load balancer that is being deleted / .* deletion again",
        upstream="409",
        ours="204",
    ),
    Intended(
        why=DETACHED, where=".* midst of changes / .* deletion of pool: .*", what=r"body.*(default_pool_id|listeners)"
    ),
    # Mistakes
    Intended(why=PRECISE, where=".*", upstream="500", ours="400|404|409"),
    Intended(
        why=USEFUL, where=".* (additional_vips|l7policies|backup|max_retries_down) null", upstream="500", ours="201"
    ),
    Intended(
        why=USEFUL, where="small trees / .* null (additional VIPs|in lists of a listener)", upstream="500", ours="201"
    ),
    Intended(why=USEFUL, where="(flavors|fields of .*) / .*(null enabled|enabled null)", upstream="500", ours="201"),
    Intended(why=USEFUL, where="a listener's life / .*allowed_cidrs.*", upstream="500", ours="200"),
    Intended(why=USEFUL, where="where a VIP comes from / .* network and address", upstream="500", ours="201"),
    Intended(
        why="the same tag or security group twice is the same as once",
        where=".* the same (tag|security group) twice",
        upstream="409",
        ours="201",
    ),
    Intended(why=NULL_REFERENCE, where="fields of .* (pool|listener|loadbalancer)_id null", upstream="404", ours="400"),
    Intended(
        why=NUMBERS,
        where="fields of (listener|member) .* (allowed_cidrs|address|monitor_address) .*5.*",
        upstream="20[01]",
        ours="400",
    ),
    Intended(
        why=NUMBERS,
        where="fields of (listener|member) on change / .* GET .*",
        what=".*(allowed_cidrs|monitor_address)",
        ours="null",
    ),
    Intended(
        why="a number is written in digits alone",
        where="spellings of values / .* integer '( 5 |5_0)'",
        upstream="200",
        ours="400",
    ),
    Intended(
        why="both say 400, upstream in its router's words",
        where="content types .* b'.xff'",
        what=r"body\.\w+",
    ),
    Intended(
        why="the type is one that we do not read: 415",
        where="content types .*form-urlencoded",
        upstream="400",
        ours="415",
    ),
    Intended(why=METHODS, where="methods that no resource has / .*", upstream="400", ours="405"),
    Intended(
        why="every reply has a request's id",
        where=".* OPTIONS .*",
        what=r"headers\.x-openstack-request-id",
        upstream='"none"',
        ours=ABSENT,
    ),
    Intended(why=NO_SELECTION, where=".* GET .*/bogus", upstream="200", ours="404"),
    Intended(why=FIELDS_OF_PATH, where=".* GET .*/bogus", what=r"body\.\w+"),
    Intended(why=FIELDS_OF_PATH, where=".* GET providers/amphora/bogus", upstream="405", ours="404"),
    # Values
    Intended(
        why=NULL_IS_ABSENT,
        where=".* null( weight)?",
        what=r"body\.\w+\.(connection_limit|hsts_include_subdomains|hsts_preload|weight)",
        upstream="null",
    ),
    Intended(
        why="the one who creates says nothing of clients, so nothing is asked of them; upstream refuses the null",
        where=".*client(s|_authentication).*(None|null).*",
        upstream="400",
        ours="20[01]",
    ),
    Intended(
        why="tags that are null are none; upstream ignores it",
        where=".* null tags",
        what=r"body\.\w+\.tags",
        ours=r"\[\]",
    ),
    Intended(
        why="null is no provider, so it is the one that is taken by itself; `amphora` is a name of it",
        where=".* provider null",
        what=r"body\.loadbalancer\.provider",
        upstream='"amphora"',
        ours='"<provider>"',
    ),
    Intended(
        why="a name is a text",
        where="(flavors|flavor profiles|fields of .* on creation) / .*(null name|null as a name|name null)",
        upstream="20[01]",
        ours="400",
    ),
    Intended(
        why="a zone is addressed by its name", where="availability zones / .* empty name", upstream="201", ours="400"
    ),
    Intended(why="flavor data is an object", where="flavor profiles / .* data that is .*", upstream="501", ours="400"),
    Intended(
        why="a provider that is not there is refused by name, before anything else is looked at",
        where="flavor.* / .*(a provider that there is not|provider_name.*)",
        upstream="200|409",
        ours="400",
    ),
    Intended(
        why="both spellings are one limit; upstream takes one of the two",
        where="quotas / .* both spellings",
        upstream="202",
        ours="400",
    ),
    Intended(why=SCTP, where=".* SCTP.*", upstream="201", ours="501"),
    Intended(why=SSLV3, where=r".* versions \['SSLv3'\]", upstream="201", ours="501"),
    Intended(why=SRIOV, where="SR-IOV / .* (VIP|member)", upstream="201", ours="501"),
    Intended(why=SRIOV, where="SR-IOV / .* members all at once", upstream="202", ours="501"),
    Intended(why=COOKIES, where="session persistence / .* HTTP_COOKIE behind TCP", upstream="201", ours="501"),
    Intended(why=EXPRESSIONS, where="L7 rules / .* REGEX of Python's alone", upstream="201", ours="501"),
    Intended(why=FAMILY, where="members / .* IPv6 by UDP", upstream="201", ours="501"),
    Intended(why=L7_ON_HTTP, where="L7 policies / .* of (TCP|UDP|HTTPS)", upstream="201", ours="501"),
    Intended(why=SAFE, where=r"L7 policies / .* to 'http://a/ä'", upstream="201", ours="400"),
    Intended(why=SAFE, where=r"L7 rules / .* (REGEX 'a\\tb'|SSL_DN_FIELD key 'a\\n')", upstream="201", ours="400"),
    Intended(
        why="a comma is no character of a cookie's value",
        where="L7 rules / .* COOKIE value 'a,b'",
        upstream="201",
        ours="400",
    ),
    Intended(why=SAFE, where="session persistence / .*ä.*", upstream="201", ours="400"),
    Intended(why=SAFE, where="listeners that end TLS / .* ciphers .*", upstream="201", ours="400"),
    Intended(why=SAFE, where="values of monitors / .* path '/(x+|ä').*", upstream="201", ours="400"),
    Intended(
        why="a range that ends before it begins has no code", where=".* codes '204-200'", upstream="201", ours="400"
    ),
    Intended(why="a header's value is a text", where="inserted headers / .* value None", upstream="201", ours="400"),
    Intended(
        why="a redirect to a pool has no code",
        where="changes of policies / .*",
        what=r"body\.l7policy\.redirect_http_code",
        upstream="303",
        ours="null",
    ),
    Intended(
        why="a redirect keeps its target",
        where="changes of policies / .* no target any more",
        upstream="200",
        ours="400",
    ),
    Intended(
        why="the action that is sent is the one that is meant",
        where="changes of policies / .* prefix and URL",
        what=r"body\.l7policy\.(action|redirect_prefix|redirect_url)",
    ),
    Intended(
        why="a policy that is made in its place was never changed",
        where="a full tree / .*",
        what=r"body.*l7policies\.\d\.updated_at",
        ours="null",
    ),
    Intended(why=OTHER_POLICY, where="changes of rules / .* through another policy", upstream="20[04]", ours="404"),
    Intended(
        why=EMPTY_TLS,
        where=r"listeners that end TLS / .* \[\] of HTTP",
        what=".*(tls_versions|alpn_protocols)",
        upstream=r"\[\]",
        ours="null",
    ),
    Intended(
        why=LATE_TLS,
        where="a pool's life / .* TLS and nothing else",
        what=r"body\.pool\.(tls_\w+|alpn_protocols)",
        upstream="null",
    ),
    Intended(
        why=KEPT_TLS,
        where="changes of a listener that ends TLS / .* (the last certificate|age without.*)",
        upstream="200",
        ours="400",
    ),
    Intended(
        why=TREE_MEMBERS,
        where=".*",
        what=r"body.*\.members\.\d\.operating_status",
        upstream='"NO_MONITOR"',
        ours='"OFFLINE"',
    ),
    Intended(why=TREE_QUOTAS, where="quotas and trees / .* one l7(policy|rule) too many", upstream="201", ours="403"),
    Intended(why=LIST_QUOTAS, where="quotas / .*", what=r"body\.quotas\.\d\.\w+", upstream="-1", ours="null"),
    Intended(why=QUOTA_FIELDS, where="quotas / .*fields=pool", what=r"body\.quotas\.\d\.\w+", ours=ABSENT),
    # Queries
    Intended(why=FILTERS, where="filters.*(=x|=maybe|=0).*", upstream="200", ours="400"),
    Intended(
        why=INNER_FILTERS,
        where="filters of other lists.*(ip_address|pool_id)=.*",
        upstream="200",
        ours="400",
    ),
    Intended(why="no tag is asked for", where="tags / .* tags=", what=r"body\.loadbalancers", upstream=r"\[\]"),
    Intended(
        why=NO_LINK, where="pages / .*", what=r"body\.loadbalancers_links", upstream=".*limit=None.*", ours=r"\[\]"
    ),
    Intended(why=REVERSED, where="pages / .*page_reverse=True", what=r"body\.loadbalancers(_links)?\..*"),
    Intended(
        why=WHOLE_LINK,
        where="pages / .*sort_dir=desc.*",
        what=r"body\.loadbalancers_links\..*",
        ours=".*sort_dir=desc.*",
    ),
    # What upstream's no-op drivers cannot know
    Intended(why=PROVIDERS, where=".* GET .*providers.*", what=r"body\.(providers|.*description)"),
    Intended(why=MORE_OPTIONS, where=".* GET .*flavor_capabilities.*", what=r"body\.flavor_capabilities"),
    Intended(why=NO_NETWORK, where=".*", what=r"body.*\.vip_network_id", upstream="null", ours='"<uuid>"'),
    Intended(
        why=NO_NETWORK,
        where="additional VIPs / .*",
        what=r"body.*additional_vips\.0\.(ip_address|port_id)",
        upstream="null",
    ),
    Intended(
        why=NO_NETWORK,
        where=".* vip_(address|port_id) null",
        what=r"body\.loadbalancer\.vip_(address|port_id)",
        upstream="null",
    ),
    Intended(
        why=NO_NETWORK,
        where="where a VIP comes from / .* null address",
        what=r"body\.loadbalancer\.vip_address",
        upstream="null",
    ),
    Intended(why=NO_NETWORK, where="where a VIP comes from / .* port", upstream="400", ours="201"),
    Intended(
        why="an address is shown as the network has it, in its one spelling",
        where="where a VIP comes from / .* IPv6 address",
        what=r"body\.loadbalancer\.vip_address",
    ),
    Intended(
        why=NO_AUTHORITY,
        where="(right )?fields of .*(client_authentication|container_ref).*",
        upstream="400",
        ours="201",
    ),
)
