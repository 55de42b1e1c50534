"""`open311 serve`, `open311 worker` and `open311 run`: the processes."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from functools import cache, partial
from typing import Any

import click
from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import MPServer

from open311.app import create_app
from open311.cli.group import loading
from open311.cli.shell import fail, prepare, read_settings, say, with_database
from open311.cli.supervisor import Supervisor, add_demo_key, chosen_port, fill_with_examples, hold_parent
from open311.observe import configure_logs
from open311.operations.platform import Platform, open_platform
from open311.operations.readiness import check_readiness
from open311.settings import Settings, variable
from open311.storage.engine import libpq_dsn

GRACE_S = 30
STOPPING = (signal.SIGINT, signal.SIGTERM)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 16 * 1024 * 1024
OBJECTS_BEFORE_COLLECTION = 20_000
"""A page of a thousand requests makes as many objects, none of them in a cycle."""


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Web processes.")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the API on granian. Migrate first: `open311 db migrate`.

    SIGTERM lets calls that are under way finish. Any other WSGI server can run `wsgi:application`.
    """
    settings = read_settings()
    settings = replace(
        settings,
        host=host or settings.host,
        port=port or settings.port,
        workers=workers or settings.workers,
    )
    hold_parent()
    _watch()
    os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_in, after_in_child=_heed_signals)
    with with_database(settings) as (settings, _):
        server = _server(settings)
        server.serve(target_loader=partial(_begin, _loader(settings, server), os.getpid()), wrap_loader=False)


def _hold_signals() -> None:
    """Have a signal wait while a web process is forked: there, its parent's handlers would do nothing with it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def _let_signals_in() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _heed_signals() -> None:
    """Let a web process be stopped while it starts, until granian gives it handlers of its own."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    _let_signals_in()


def _server(settings: Settings) -> MPServer:
    return MPServer(
        "wsgi:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backpressure=settings.connections,  # granian counts those that are kept alive, at work or not
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_S,
    )


def _loader(settings: Settings, server: MPServer) -> Callable[[], Flask]:
    """What gives a web process the application.

    On Linux the server makes it once, before it forks its web processes: they share its memory and serve at once,
    also one that comes in another's place. Elsewhere each makes its own.
    """
    load = partial(_prepare, settings)
    if sys.platform != "linux":
        return load
    multiprocessing.set_start_method("fork", force=True)  # Python 3.14 would have another
    load_once = cache(load)

    def load_first() -> None:
        load_once()
        if server.interrupt_signal:  # told to stop meanwhile; granian would still start its web processes
            sys.exit()

    server.on_startup(load_first)
    return load_once


def _prepare(settings: Settings) -> Flask:
    """The application, fit to be forked: no connection, no thread, nothing that only one process can have."""
    _keep_memory()
    with loading():
        platform = open_platform(settings)
        application = create_app(settings, platform)
        platform.close()  # each process opens its own connections when it needs them
        gc.freeze()  # what is here by now stays: no collection looks at it, or copies its pages by looking
    return application


def _begin(load: Callable[[], Flask], parent: int) -> Flask:
    """The application, in a web process; a process whose parent was killed ends as well."""
    _watch(parent)
    application = load()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    return application


def _keep_memory() -> None:
    """Have glibc keep what a large answer took for the next one: getting it back from the kernel costs a tenth."""
    with suppress(AttributeError, OSError):  # another libc
        mallopt = ctypes.CDLL(None).mallopt
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(option, KEPT_BYTES)


def _watch(parent: int | None = None) -> None:
    """Once a second, have the main thread look for signals, and end this process if that parent is gone.

    Called in the main thread, which will wait at a lock. Python sleeps over a signal that comes between its last
    look and that sleep, as SIGTERM did on a busy machine; the next signal wakes it.
    """
    main = threading.get_ident()
    signal.signal(signal.SIGURG, lambda *_: None)  # one that the kernel does not ignore

    def watch() -> None:
        while parent is None or os.getppid() == parent:
            time.sleep(1)
            signal.pthread_kill(main, signal.SIGURG)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="watch").start()


@click.command()
@click.option("--once", is_flag=True, help="Stop when the queue is empty.")
def worker(once: bool) -> None:
    """Do background work: ids for batch requests, republishing, cleaning up.

    Killed at any moment, it loses nothing: its jobs are taken up again.
    """
    from open311.jobs.worker import make_worker  # with procrastinate, which `serve` does not wait for

    hold_parent()
    with with_database(read_settings()) as (settings, _):
        configure_logs(settings.log_level)
        platform = open_platform(replace(settings, statement_timeout_ms=0))
        _require_database(platform)
        app = make_worker(platform, libpq_dsn(settings.sqlalchemy_url))
        app.run_worker(wait=not once, shutdown_graceful_timeout=GRACE_S, fetch_job_polling_interval=2.0)
        platform.close()


def _require_database(platform: Platform) -> None:
    """End with a sentence where there is no database, or none with tables: the job queue lies in it."""
    for check in check_readiness(platform):
        if check.name in ("database", "schema") and not check.is_ok:
            fail(f"{check.name}: {check.detail}")


@click.command()
@click.option("--examples", default=300, show_default=True, help="Made-up requests for each empty city.")
def run(examples: int) -> None:
    """Bring everything up on this machine: database, schema, cities, examples, server and worker.

    With DATABASE_URL set, that database is used; otherwise a private PostGIS cluster under ./var. What dies is
    started again; Ctrl-C stops all of it.
    """
    settings = read_settings()
    configure_logs(settings.log_level)
    with with_database(settings) as (settings, cluster), chosen_port(settings) as port:
        settings = replace(settings, port=port)
        platform = open_platform(replace(settings, statement_timeout_ms=0))
        prepare(platform)
        fill_with_examples(platform, examples)
        key = add_demo_key(platform)
        for reason in platform.registry.reasons:
            say(f"Not served: {reason}")
        platform.close()
        Supervisor(_environment(settings), settings, cluster).run(partial(_greet, platform.registry, key))


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as the children's environment."""
    named = {variable(row): getattr(settings, row.name) for row in fields(Settings)}
    texts = {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in named.items()}
    return os.environ | texts


def _greet(registry: Any, key: str, address: str) -> None:
    cities = sorted(jurisdiction.id for jurisdiction in registry)
    city = "cityofchicago.org" if "cityofchicago.org" in cities else (cities or ["none"])[0]
    say("")
    say(f"  Open311 GeoReport v2 for {len(cities)} cities: {', '.join(cities)}")
    say("")
    say(f"  Look around   {address}/")
    say(f"  API page      {address}/docs")
    say(f"  Try           curl '{address}/open311/v2/services.json?jurisdiction_id={city}'")
    say(f"                curl '{address}/open311/v2/requests.xml?jurisdiction_id={city}&page_size=5'")
    say(f"  Demo api_key  {key}")
    say("")
    say("  Ctrl-C stops everything.")
