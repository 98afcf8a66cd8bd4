"""
The read-only identity and network calls that stock clients make before they speak of load balancers.

For worlds that have no Neutron, and perhaps no Keystone: the one lets anyone in and knows one project, neither changes
anything.
"""

from actium_api.facade.identity import router as identity
from actium_api.facade.network import router as network

__all__ = ["identity", "network"]
