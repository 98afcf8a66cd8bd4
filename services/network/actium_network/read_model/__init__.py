"""The network service's tables: the log's content, and the work that is promised but not on the log yet."""
