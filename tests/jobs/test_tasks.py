"""The names of tasks: operations defer jobs by name, and the worker finds the code by name."""

from __future__ import annotations

from open311.jobs.worker import make_worker
from open311.operations.platform import Platform
from open311.storage.queue import Task


def test_the_worker_has_code_for_each_task_and_for_no_other(platform: Platform) -> None:
    tasks = make_worker(platform, "").tasks
    ours = {name for name, task in tasks.items() if not task.func.__module__.startswith("procrastinate.")}
    assert ours == set(Task)
