"""Actium as a provider driver of upstream's Octavia. Nothing else of Actium is imported here: it lives in Octavia's environment."""
