"""The dispatcher, which a worker runs in a separate thread while it runs jobs.

The dispatcher polls the outbox. NOTIFY would make polling unnecessary, but it locks the whole database at commit,
so every POST would wait for that lock.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Any

import procrastinate

from open311.clock import utc_now
from open311.jobs.repeating import repeating
from open311.operations.delivery.applying import apply_updates
from open311.operations.delivery.pulling import pull_all
from open311.operations.delivery.sending import deliver_all
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.mailing import sending as mail_sending
from open311.operations.platform import Platform
from open311.operations.sms import sending as sms_sending
from open311.operations.subscriptions.sending import send_all
from open311.storage.queue import Line

POLL_S = 0.5


def dispatching(platform: Platform) -> AbstractContextManager[None]:
    """Dispatch in a thread until the block ends. A batch that has begun is finished first."""
    return repeating("dispatcher", lambda: dispatch(platform, utc_now()) > 0, poll_s=POLL_S)


def dispatch_all(platform: Platform) -> int:
    """Dispatch all changes that are due, and return the number of changes that were tried."""
    done = 0
    while count := dispatch(platform, utc_now()):
        done += count
    return done


def work_once(
    platform: Platform, app: procrastinate.App, lines: Collection[Line] = tuple(Line), **options: Any
) -> None:
    """Dispatch changes, send deliveries, webhooks, mails and text messages, read updates and run jobs.

    Each of these can cause more work. The function returns when nothing is left.
    lines    the lines whose jobs are run. Work that is not a job is done if FAST is one of them
    options  arguments of procrastinate's run_worker
    """
    if Line.FAST not in lines:
        app.run_worker(queues=list(lines), wait=False, **options)
        return
    dispatch_all(platform)
    while True:
        app.run_worker(queues=list(lines), wait=False, **options)
        done = deliver_all(platform, utc_now) + pull_all(platform, utc_now) + apply_updates(platform, utc_now)
        done += send_all(platform, utc_now)
        done += mail_sending.send_all(platform, utc_now) + sms_sending.send_all(platform, utc_now)
        if not done + dispatch_all(platform):
            return
