"""The options of `[actium_provider]`, and the HTTP session that they describe."""

from functools import cache

from keystoneauth1 import adapter, loading, noauth, session
from oslo_config import cfg

GROUP = "actium_provider"
OPTIONS = (
    cfg.URIOpt("endpoint", schemes=["http", "https"], help="Where Actium's API is."),
    cfg.FloatOpt("timeout_s", default=25.0, min=0.1, help="So long one request may take."),
    cfg.FloatOpt("poll_s", default=1.0, min=0.1, help="So often the agent looks what became of changes."),
    cfg.FloatOpt("refresh_s", default=10.0, min=0.1, help="So often it looks at what seems to stand still."),
)


class NotConfiguredError(Exception):
    """An option is missing."""


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options known."""
    conf.register_opts(OPTIONS, group=GROUP)
    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)


def connect(conf: cfg.ConfigOpts) -> adapter.Adapter:
    """
    Give the way to Actium's API.

    Raises:
        NotConfiguredError: nobody said where it is.
    """
    options = conf[GROUP]
    if not options.endpoint:
        raise NotConfiguredError(f"[{GROUP}] endpoint must be the address of Actium's API, such as http://host:9876")
    auth = loading.load_auth_from_conf_options(conf, GROUP) or noauth.NoAuth()
    opened: session.Session = loading.load_session_from_conf_options(conf, GROUP, auth=auth, timeout=options.timeout_s)
    return adapter.Adapter(opened, endpoint_override=options.endpoint.rstrip("/"), raise_exc=False)


@cache
def of_octavia() -> cfg.ConfigOpts:
    """Give the configuration of the process that loads us, with our options: octavia-lib hands over nothing."""
    register(cfg.CONF)
    return cfg.CONF


@cache
def connection() -> adapter.Adapter:
    """Give the connection of this process: drivers are made afresh for each call."""
    return connect(of_octavia())
