"""How long-running commands react to SIGINT and SIGTERM."""

GRACE_S = 30
"""Seconds that running calls and jobs may take to finish after SIGINT or SIGTERM."""
