"""What each web process of `open311 serve` needs: the application, and its threads.

The process that starts web processes does not import this module, so that this process stays small.
"""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask

from open311.app import create_app
from open311.cli.greeting import announce
from open311.cli.memory import keep_freed_memory, return_freed_memory
from open311.cli.signals import GRACE_S
from open311.clock import utc_now
from open311.operations.media.files import log_store_fault
from open311.operations.platform import open_platform
from open311.server.limits import Limits
from open311.server.listening import begin_listening
from open311.server.processes import Signals
from open311.server.shares import Share
from open311.server.threads import Threads
from open311.settings import Settings
from open311.tracing import begin_tracing, end_tracing
from open311.web.portal.rendering import prepare_pages
from open311.web.surfaces import HEALTH

OBJECTS_BEFORE_COLLECTION = 20_000
"""The GC threshold. A page of 1000 requests makes about this many objects, and no reference cycles."""
PARENT_CHECK_S = 1.0
DRAIN_CHECK_S = 0.1
PATIENCE_S = 2.0
"""A stopping web process waits until its parent stops listening: at most `drain_s` and this many seconds more."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What web processes share.

    loader  the id of the process that has prepared the application
    """

    application: Flask
    loader: int


def prepare(settings: Settings) -> Prepared:
    """The application, ready for a fork: it has no connection and no thread, because forks cannot share them."""
    keep_freed_memory()
    platform = open_platform(settings)
    application = create_app(settings, platform)
    announce(platform)
    prepare_pages()
    application.url_map.update()  # otherwise each process sorts all rules at its first call
    return_freed_memory()
    platform.close()  # each process opens its own connections when it needs them
    return Prepared(application, os.getpid())


def serve_prepared(
    prepared: Prepared,
    listener: socket.socket,
    settings: Settings,
    signals: Signals,
    *,
    share: Share,
    parent: int,
    stop_listening: Callable[[], None],
) -> None:
    """Serve in a web process until a signal to stop arrives or the parent is killed.

    After a signal, calls are taken until the parent has stopped listening, which it does after `drain_s`. If the
    parent is killed, this process stops listening itself.
    """

    def is_orphan() -> bool:
        return os.getppid() not in (parent, prepared.loader)  # the loader is the parent until it ends, for some ms

    application = prepared.application
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    threads = Threads(
        listener,
        application.wsgi_app,
        limits_of(settings),
        count=settings.threads,
        prompt=(HEALTH.prefix,),
        share=share,
    )
    begin_tracing()
    if settings.drain_s and not signals.is_stopping:
        begin_listening(listener)
    threads.start()
    log_store_fault(application.extensions["open311"], utc_now())
    while not signals.is_stopping and not is_orphan():
        signals.wait(PARENT_CHECK_S)
    application.extensions["open311"].process.is_ending.set()
    threads.drain()
    give_up_at = time.monotonic() + settings.drain_s + PATIENCE_S
    while threads.is_listening and time.monotonic() < give_up_at:
        if is_orphan():
            stop_listening()
        signals.wait(DRAIN_CHECK_S)
    threads.stop(GRACE_S)
    end_tracing()


def limits_of(settings: Settings) -> Limits:
    """The limits for clients. With trusted proxies an address has no limit: all calls come from the proxies."""
    return Limits(
        head_s=settings.header_timeout_s,
        body_s=settings.body_timeout_s,
        reader_s=settings.reader_timeout_s,
        least_bytes=settings.least_bytes_per_s,
        idle_s=settings.keepalive_s,
        wait_s=settings.thread_wait_s,
        body_bytes=max(4 * settings.max_body_bytes, settings.max_upload_bytes),
        connections=settings.connections,
        per_address=0 if settings.trusted_proxies else settings.connections_per_address,
    )
