"""The API: tenants' load balancer API v2 and the operators' API, over a read model of its own."""
