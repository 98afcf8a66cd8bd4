"""What the API shows, kept in SQL: tables, the events that fill them, and the questions asked of them."""
