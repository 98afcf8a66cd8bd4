"""The network service: what exists to attach to, and the addresses and ports taken from it."""
