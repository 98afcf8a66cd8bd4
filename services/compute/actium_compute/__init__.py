"""Compute: the amphorae's lives, and what they run. Knows machines and agents, but no tenant's rules."""
