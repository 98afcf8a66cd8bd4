"""The network service's worlds: `netlink` (bridges on this machine) and `memory` (accepts everything at once)."""
