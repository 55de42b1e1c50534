"""Background work: the worker, which runs procrastinate's jobs, and the dispatcher of changes."""
