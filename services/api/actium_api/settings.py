"""What the api service is told at start."""

from dataclasses import dataclass

from actium_shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings(Settings):
    """`ACTIUM_LISTEN_PORT=9876` and so on; see `Settings`."""

    listen_host: str = "127.0.0.1"
    listen_port: int = 9876
    database_url: str = "sqlite:///api.sqlite"
    facade: bool = False
    """Answer the read-only identity and network calls of the usual clients: for worlds that have neither service."""

    default_provider: str = "actium"
    default_project_id: str = "8f8a51f1b5e04f5d9d1a6c0a5f0e7c11"
    """Whose request it is when neither a token nor `X-Project-Id` says so."""

    page_limit: int = 1000
    """No page of a list is longer; the same bound as upstream's default."""

    max_body_bytes: int = 4 * 1024 * 1024
    """A wish has to fit into one message of the bus (8 MiB), and its commit holds it twice."""
