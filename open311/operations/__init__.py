"""One use-case a module; each owns its transaction. No HTTP here, no SQL."""
