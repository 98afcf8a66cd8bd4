"""The operators' command line. Talks HTTP to the operator API and to nothing else."""
