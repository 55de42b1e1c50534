"""The consequences of changes. The dispatcher hands each change in the outbox to every consumer exactly once."""
