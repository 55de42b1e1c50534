"""Photos: which ones are accepted, and how they are stored, prepared, shown and deleted."""
