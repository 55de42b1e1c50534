"""The names of tasks. Operations defer jobs by name, and the worker finds the function by name."""

from __future__ import annotations

from open311.jobs.worker import make_worker
from open311.operations.platform import Platform
from open311.storage.queue import Task


def test_the_worker_has_a_function_for_exactly_the_named_tasks(platform: Platform) -> None:
    tasks = make_worker(platform, "").tasks
    ours = {name for name, task in tasks.items() if not task.func.__module__.startswith("procrastinate.")}
    assert ours == set(Task)
