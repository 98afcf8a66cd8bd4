"""Rules that need the load balancer's state, one module per resource. Pure; what a request alone tells, the API checks."""
