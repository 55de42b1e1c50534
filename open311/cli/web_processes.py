"""The web processes of `open311 serve`."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import TYPE_CHECKING

from open311.cli.group import fail_with
from open311.cli.memory import collection_paused, return_freed_memory
from open311.cli.output import fail
from open311.cli.signals import GRACE_S
from open311.errors import Open311Error
from open311.server.listening import listen, stop_listening
from open311.server.processes import Processes, Signals, raise_file_limit
from open311.server.shares import Shares
from open311.settings import Settings

if TYPE_CHECKING:
    from open311.cli.web_application import Prepared


def serve_application(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Then calls that have begun have `GRACE_S` seconds to finish.

    If `drain_s` is set, a load balancer can use other hosts while this one cannot serve. Connections are refused
    until the first process can serve. After SIGTERM, /readyz answers 503, but other calls are still served for
    `drain_s` seconds. If `drain_s` is 0, connections are accepted from the beginning, and wait until they can be
    served.
    """
    signals = Signals()
    with _listener(settings) as listener:
        work = partial(_serve, listener, settings, Shares(settings.workers), os.getpid())
        raise_file_limit()
        return_freed_memory()  # of imports: this process stays as long as the server
        processes = Processes(
            partial(_prepare, settings),
            work,
            signals,
            count=settings.workers,
            drain_s=settings.drain_s,
            grace_s=GRACE_S,
            before_end=partial(stop_listening, listener),
        )
        processes.run()


def _listener(settings: Settings) -> socket.socket:
    try:
        return listen(settings.host, settings.port, is_open=not settings.drain_s)
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        fail(
            f"cannot listen on {where}: {error.strerror}; set OPEN311_HOST or OPEN311_PORT to another.", as_log=True
        )


def _prepare(settings: Settings) -> Prepared:
    """Make the application, in the process that forks the web processes; this process does not import it."""
    with collection_paused():
        from open311.cli.web_application import prepare

        try:
            return prepare(settings)
        except Open311Error as error:
            fail_with(error, as_log=True)


def _serve(
    listener: socket.socket,
    settings: Settings,
    shares: Shares,
    parent: int,
    prepared: Prepared,
    signals: Signals,
    place: int,
) -> None:
    from open311.cli.web_application import serve_prepared

    serve_prepared(
        prepared,
        listener,
        settings,
        signals,
        share=shares.share(place),
        parent=parent,
        stop_listening=partial(stop_listening, listener),
    )
