"""Changes to stored requests: commands of staff, updates, support, erasure."""
