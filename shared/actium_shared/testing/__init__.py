"""What tests need of the plumbing: a real nats-server to talk to, and a log in memory that passes the same contract."""
