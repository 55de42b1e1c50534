"""Background work: the worker runs procrastinate's jobs, and threads that dispatch, send, fetch and apply."""
