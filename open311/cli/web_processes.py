"""The web processes of `open311 serve`."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from flask import Flask

from open311.app import create_app
from open311.cli.greeting import announce
from open311.cli.memory import collection_paused, keep_freed_memory
from open311.cli.output import fail
from open311.cli.signals import GRACE_S
from open311.clock import utc_now
from open311.operations.media.files import log_store_fault
from open311.operations.platform import open_platform
from open311.server.limits import Limits
from open311.server.listening import listen
from open311.server.processes import Processes, Signals, raise_file_limit
from open311.server.shares import Shares
from open311.server.threads import Threads
from open311.settings import Settings
from open311.web.portal.rendering import prepare_pages
from open311.web.surfaces import HEALTH

OBJECTS_BEFORE_COLLECTION = 20_000
"""The GC threshold. A page of 1000 requests makes about this many objects, and no reference cycles."""
PARENT_CHECK_S = 1.0


def serve_application(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Then calls that have begun have `GRACE_S` seconds to finish."""
    signals = Signals()
    with _listener(settings) as listener:
        make_application = _application_maker(settings)
        work = partial(_serve, listener, make_application, settings, Shares(settings.workers), os.getpid())
        stop_listening = partial(_stop_listening, listener)
        raise_file_limit()
        Processes(work, signals, count=settings.workers, grace_s=GRACE_S, before_end=stop_listening).run()


def _listener(settings: Settings) -> socket.socket:
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        fail(
            f"cannot listen on {where}: {error.strerror}; set OPEN311_HOST or OPEN311_PORT to another.", as_log=True
        )


def _application_maker(settings: Settings) -> Callable[[], Flask]:
    """The function that each web process calls to get its application.

    On Linux the parent makes the application once, before it forks the web processes. They share the parent's
    memory and can serve immediately, as can a process that replaces a dead one. On other systems each web process
    makes its own application.
    """
    make = partial(_make_application, settings)
    if sys.platform != "linux":
        return make
    application = make()
    return lambda: application


def _make_application(settings: Settings) -> Flask:
    """The application, ready for a fork: it has no connection and no thread, because forks cannot share them."""
    keep_freed_memory()
    with collection_paused():
        platform = open_platform(settings)
        application = create_app(settings, platform)
        announce(platform)
        prepare_pages()
        platform.close()  # each process opens its own connections when it needs them
    return application


def _serve(
    listener: socket.socket,
    make_application: Callable[[], Flask],
    settings: Settings,
    shares: Shares,
    parent: int,
    signals: Signals,
    place: int,
) -> None:
    """Serve in a web process until a signal to stop arrives or the parent is killed."""
    application = make_application()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    threads = Threads(
        listener,
        application.wsgi_app,
        limits_of(settings),
        count=settings.threads,
        prompt=(HEALTH.prefix,),
        share=shares.share(place),
    )
    threads.start()
    log_store_fault(application.extensions["open311"], utc_now())
    while not signals.is_stopping:
        signals.wait(PARENT_CHECK_S)
        if os.getppid() != parent:
            _stop_listening(listener)
            break
    threads.stop(GRACE_S)


def _stop_listening(listener: socket.socket) -> None:
    """Stop accepting connections, in all processes, because they share the listener."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def limits_of(settings: Settings) -> Limits:
    """The limits for clients. With trusted proxies an address has no limit, because all calls come from them."""
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
