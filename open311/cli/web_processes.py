"""The web processes of `open311 serve`: granian forks them, starts again those that die, and ends them all."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable
from functools import cache, partial

from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import MPServer

from open311.app import create_app
from open311.cli.memory import collection_paused, keep_freed_memory
from open311.cli.signals import GRACE_S, check_signals_every_second
from open311.operations.platform import open_platform
from open311.settings import Settings

OBJECTS_BEFORE_COLLECTION = 20_000
"""The GC threshold: a page of a thousand requests makes as many objects, and no reference cycles."""


def serve_application(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; then calls under way have `GRACE_S` seconds to finish."""
    server = _make_server(settings)
    make_application = _application_maker(settings, server)
    server.serve(target_loader=partial(_begin, make_application, os.getpid()), wrap_loader=False)


def _make_server(settings: Settings) -> MPServer:
    return MPServer(
        "wsgi:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backpressure=settings.connections,  # granian counts idle kept-alive connections, too
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_S,
    )


def _application_maker(settings: Settings, server: MPServer) -> Callable[[], Flask]:
    """The function that each web process calls for its application.

    On Linux the parent makes the application once, before it forks the web processes. They share its memory and
    serve at once, also those that replace a dead one. Elsewhere each web process makes its own.
    """
    make = partial(_make_application, settings)
    if sys.platform != "linux":
        return make
    multiprocessing.set_start_method("fork", force=True)  # Python 3.14 has another default
    make_once = cache(make)

    def make_before_forking() -> None:
        make_once()
        if server.interrupt_signal:  # stopped meanwhile: granian would still start its web processes
            sys.exit()

    server.on_startup(make_before_forking)
    return make_once


def _make_application(settings: Settings) -> Flask:
    """The application, ready to be forked: it has no connection and no thread, which only one process could use."""
    keep_freed_memory()
    with collection_paused():
        platform = open_platform(settings)
        application = create_app(settings, platform)
        platform.close()  # each process opens its own connections when it needs them
        gc.freeze()  # collections skip these objects, so they do not copy shared pages either
    return application


def _begin(make_application: Callable[[], Flask], parent: int) -> Flask:
    """The application, in a web process, which ends when its parent is killed."""
    check_signals_every_second(parent)
    application = make_application()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    return application
