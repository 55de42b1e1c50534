"""Photos: which ones are taken, and how they are stored, prepared, shown and deleted."""
