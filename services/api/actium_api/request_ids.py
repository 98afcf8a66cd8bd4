"""The id of a request: how it is made, and the header that tells it on every reply."""

import uuid

REQUEST_ID = "x-openstack-request-id"
REQUEST_ID_BYTES = REQUEST_ID.encode()


def new() -> str:
    return f"req-{uuid.uuid4()}"
