"""The use cases, one in each module. A use case opens its own transactions, and has no HTTP and no SQL."""
