"""One module per aggregate: its state, `decide` (is this allowed, what happened) and `evolve` (what is true now). Pure."""
