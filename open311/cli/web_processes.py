"""The web processes of `open311 serve`. Granian forks them, replaces those that die, and ends all of them."""

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
"""The GC threshold. A page of 1000 requests makes about this many objects, and no reference cycles."""


def serve_application(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Then calls that have begun have `GRACE_S` seconds to finish."""
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
    """The function that each web process calls to get its application.

    On Linux the parent makes the application once, before it forks the web processes. They share the parent's
    memory and can serve immediately, as can a process that replaces a dead one. On other systems each web process
    makes its own application.
    """
    make = partial(_make_application, settings)
    if sys.platform != "linux":
        return make
    multiprocessing.set_start_method("fork", force=True)  # the default is not fork since Python 3.14
    make_once = cache(make)

    def make_before_forking() -> None:
        make_once()
        if server.interrupt_signal:  # a signal came while the application was made; granian would ignore it
            sys.exit()

    server.on_startup(make_before_forking)
    return make_once


def _make_application(settings: Settings) -> Flask:
    """The application, ready for a fork: it has no connection and no thread, because forks cannot share them."""
    keep_freed_memory()
    with collection_paused():
        platform = open_platform(settings)
        application = create_app(settings, platform)
        platform.close()  # each process opens its own connections when it needs them
        gc.freeze()  # the collector then skips these objects, so it does not write to memory shared between forks
    return application


def _begin(make_application: Callable[[], Flask], parent: int) -> Flask:
    """Set up a web process, which ends when its parent is killed, and return its application."""
    check_signals_every_second(parent)
    application = make_application()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    return application
