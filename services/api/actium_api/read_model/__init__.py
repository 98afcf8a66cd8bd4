"""What the API shows, kept in SQL: tables, the events that fill them, and the questions asked of them."""

from actium_api.read_model import catalogue_tables, tables

__all__ = ["catalogue_tables", "tables"]
