"""The use cases. Each module has one, or a few that belong together.

A use case opens its own transactions, and has no HTTP and no SQL.
"""
