"""What a reference to a secret says of where the secret is. Barbican's name what is there, as its own clients write them."""

import re

from actium_shared.ids import SecretRef

SECRETS, CONTAINERS = "secrets", "containers"
BARBICAN = re.compile(
    r"(?:https?://[^/\s]+(?:/[^\s?#]*)?/)?v1/(secrets|containers)/"
    r"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})/?"
)


def in_barbican(ref: SecretRef | str) -> tuple[str, str] | None:
    """Give what a reference of Barbican's names: secrets or containers, and the id; None of others."""
    named = BARBICAN.fullmatch(ref)
    return None if named is None else (named[1], named[2])
