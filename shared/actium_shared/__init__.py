"""What every service shares: the vocabulary (events, commands, wishes) and the plumbing (bus, store, read models)."""
