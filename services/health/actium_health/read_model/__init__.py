"""What health knows of others' decisions and of its own past; rebuilt from the log at any time, save traffic totals."""
