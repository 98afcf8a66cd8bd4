"""The bodies of requests: what is valid by itself, without knowing any state. Rules that need state are the planner's."""
