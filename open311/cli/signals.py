"""What SIGINT and SIGTERM mean to long-running commands."""

GRACE_S = 30
"""How long calls and jobs that have begun may take to finish after SIGINT or SIGTERM."""
