"""Access rights, which depend on API keys."""
