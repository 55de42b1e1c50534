"""Consequences of changes: the dispatcher hands each change in the outbox to every consumer, exactly once."""
