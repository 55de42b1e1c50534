"""Our extensions of the standard (spec/extensions.md). Each module declares endpoints."""
