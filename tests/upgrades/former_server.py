"""Serves the former release's `wsgi:application`, until SIGTERM; then calls that have begun are finished.

The former release is below the current folder. Its own server, granian, is no requirement any more.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Server(WSGIServer):
    """A server with a few threads. Each thread keeps its connections to the database."""

    request_queue_size = 128
    pool = ThreadPoolExecutor(4)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let a thread serve the connection."""
        self.pool.submit(self._serve, request, client_address)

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)

    def server_close(self) -> None:
        """Finish the calls that have begun."""
        super().server_close()
        self.pool.shutdown()


class Handler(WSGIRequestHandler):
    """Logs no calls."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def main(port: int) -> None:
    """Serve on a port of this machine."""
    from wsgi import application

    def with_whole_body(environ: dict[str, Any], start: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        return application(environ | {"wsgi.input": BytesIO(body)}, start)

    server = Server(("127.0.0.1", port), Handler)
    server.set_app(with_whole_body)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
