"""Starts servers on the loopback: a process as operators run it, and threads with special settings."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from flask import Flask
from requests.adapters import HTTPAdapter
from werkzeug.serving import WSGIRequestHandler, make_server

from open311.cli.parent import PARENT_VARIABLE
from open311.cli.supervisor import is_answering
from tests.ports import free_port
from tests.waiting import settle_for, until

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REPOSITORY = Path(__file__).parents[2]
STARTS_WITHIN_S = 60.0


@contextmanager
def serve_process(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """Start `open311 serve` as a process; returns its origin. Its standard error goes to `log`."""
    port = free_port()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OPEN311_", "DATABASE_"))}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "open311", "serve", "--port", str(port), "--workers", "1"],
            cwd=REPOSITORY,
            env={
                **own,
                **environment,
                PARENT_VARIABLE: "stdin",
            },  # the server ends when the pipe of its standard input closes
            stdin=subprocess.PIPE,
            stderr=file,
        )
    try:
        _wait(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=STARTS_WITHIN_S)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    def is_listening() -> bool:
        assert process.poll() is None, log.read_text()
        return is_answering("127.0.0.1", port)

    until(is_listening, "the server's first answer")


class _Silent(WSGIRequestHandler):
    def log_request(self, *args: Any) -> None:
        pass


@contextmanager
def serve_thread(app: Flask) -> Iterator[str]:
    """Serve an app on a port of the loopback, one call at a time; returns its origin.

    Before a call of the change feed, waits for the transactions of other databases that would hold back the feed.
    """

    def settled(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        settle_for(app, environ["PATH_INFO"])
        return app(environ, start)

    server = make_server("127.0.0.1", 0, settled, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TlsProxy(HTTPAdapter):
    """Replaces the city's proxy that terminates TLS: forwards https calls as plain HTTP with X-Forwarded-Proto."""

    def __init__(self, public: str, behind: str) -> None:
        super().__init__()
        self.public, self.behind = public, behind

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Forward the call; the response object has the public URL."""
        asked = request.url or ""
        inner = request.copy()
        inner.url = asked.replace(self.public, self.behind, 1)
        inner.headers.update({"X-Forwarded-Proto": "https", "Host": self.public.removeprefix("https://")})
        response = super().send(inner, *args, **options)
        response.url, response.request = asked, request
        return response
