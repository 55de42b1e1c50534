"""Background work: the worker, which runs procrastinate's jobs.

Threads of the worker dispatch changes, send messages and deliveries, and fetch and apply updates.
"""
