"""Use cases, one per module. Each opens its own transactions. No HTTP and no SQL here."""
