"""
The read-only identity and network calls that stock clients make before they speak of load balancers.

For worlds that have neither Keystone nor Neutron: it lets anyone in, knows one project, and changes nothing.
"""

from fastapi import APIRouter

from actium_api.facade import identity, network

router = APIRouter(include_in_schema=False)
router.include_router(identity.router)
router.include_router(network.router)

__all__ = ["router"]
