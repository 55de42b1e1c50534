"""What follows from changes of requests: the dispatcher hands each change in the outbox to every consumer, once."""
