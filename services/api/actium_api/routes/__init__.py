"""
The paths of the tenant API, one module per resource. A route parses, asks, waits, renders.

Plain Starlette routes, as reads are served from stored bytes and writes have upstream's own rules of coercion.
"""
