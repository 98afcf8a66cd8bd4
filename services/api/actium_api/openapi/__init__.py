"""
The description of the tenant API, made from the route table when it is first asked for.

Nothing here is imported before that: neither the service's start nor its memory knows of it.
"""
