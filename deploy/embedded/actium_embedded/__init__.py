"""The embedded world: everything on one Linux box. Starts, watches, shows and ends it; holds no load-balancing rule."""
