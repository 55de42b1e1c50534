"""Changes to stored requests."""
