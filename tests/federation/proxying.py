"""An HTTP proxy on the loopback.

It connects to the same server whatever the host name is, as if its own DNS resolved every name to that server.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """The address of a proxy, what it was asked, and the credentials that it was shown."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)


@contextmanager
def proxy_to(origin: str, *, status: int = 200) -> Iterator[Proxy]:
    """A proxy that connects to the server at `origin`, or answers CONNECT with the status of an error."""
    proxy = Proxy()
    port = urlsplit(origin).port

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.note()
            self.send_response(status)
            self.end_headers()
            if status == 200:
                with socket.create_connection(("127.0.0.1", port)) as line:
                    other = threading.Thread(target=pump, args=(line, self.connection))
                    other.start()
                    pump(self.connection, line)
                    other.join()

        def do_GET(self) -> None:
            self.note()
            target = urlsplit(self.path)
            with socket.create_connection(("127.0.0.1", port)) as line:
                query = f"?{target.query}" if target.query else ""
                line.sendall(f"GET {target.path}{query} HTTP/1.0\r\nHost: {target.netloc}\r\n\r\n".encode())
                pump(line, self.connection)

        def note(self) -> None:
            self.close_connection = True
            proxy.asked.append(f"{self.command} {self.path}")
            proxy.credentials.append(self.headers.get("Proxy-Authorization"))

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    proxy.url = f"http://user:proxy-password@127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source ends."""
    try:
        while chunk := source.recv(65_536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one side has closed its connection
        pass
