"""
The network service's worlds: `netlink` (bridges on this machine), `noop` (has whatever is asked for), and `memory` (for
tests: has what it was given).
"""
