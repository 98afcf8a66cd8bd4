"""Internal health monitors: heartbeats in, operating statuses and statistics out. The UDP relay is `actium_health.relay`."""
