"""
What can go wrong in a request, each named for what the caller does about it.

AgentError
├── Invalid    400: the bundle is no bundle; send another
├── Stale      409: something newer is in force; forget this one
├── Refused    422: haproxy, keepalived or nft refused it, in their own words; render another
└── Trouble    503: the amphora could not, now; send the same again
"""


class AgentError(Exception):
    status = 500


class Invalid(AgentError):  # noqa: N818 - these four read as sentences where they are raised
    status = 400


class Stale(AgentError):  # noqa: N818
    status = 409


class Refused(AgentError):  # noqa: N818
    status = 422


class Trouble(AgentError):  # noqa: N818
    status = 503
