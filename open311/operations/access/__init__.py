"""Who calls: api_keys."""
