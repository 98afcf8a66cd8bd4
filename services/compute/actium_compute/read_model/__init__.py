"""Compute's tables: `tables`, the events that fill them (`projections`), and what is asked of them (`queries`)."""
