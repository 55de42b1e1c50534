"""The HTTP server of the fake servers in tests: a function from a call to a reply, on a port of the loopback."""

from __future__ import annotations

import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A call that a server received. `headers` has names as they were sent; `header()` ignores their case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    def plain(self) -> dict[str, Any]:
        """The call as plain data for JSON."""
        body = self.body.decode("latin-1")
        return {"method": self.method, "target": self.target, "headers": dict(self.headers), "body": body}

    def header(self, name: str) -> str:
        """The value of a header; "" if the call has none."""
        return next((value for each, value in self.headers.items() if each.lower() == name.lower()), "")


@dataclass(frozen=True)
class Reply:
    """An answer.

    headers  a header with an empty value is not sent; Content-Length is the size of the body unless it is here
    write    sends the whole answer itself, head and all, as bytes on the connection, which is closed afterwards
    drops    the connection is reset after the answer; with an empty body, nothing is sent at all
    """

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[Any], object] | None = None
    drops: bool = False


NO_ANSWER = Reply(drops=True)
MISTAKE = 599
"""The status of the answer if an answerer raises an exception; the body has its traceback."""
Answerer = Callable[[Asked], Reply]


class Server:
    """Serves an answerer on one port. It can stop and start again on the same port, as a server that is restarted.

    With a context for TLS, its address is https://localhost.

    While it is stopped, a connection is refused at once, and no other process can take the port.
    """

    def __init__(self, answer: Answerer, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer, self._tls = answer, tls
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", port))
        self.port: int = self._place.getsockname()[1]
        self.origin = f"https://localhost:{self.port}" if tls else f"http://127.0.0.1:{self.port}"
        self._http: _Http | None = None
        self._thread = threading.Thread()

    def start(self) -> None:
        """Accept connections. Does nothing if the server runs."""
        if self._http is None:
            self._http = _Http(("127.0.0.1", self.port), self.answer)
            if self._tls:
                self._http.socket = self._tls.wrap_socket(
                    self._http.socket, server_side=True, do_handshake_on_connect=False
                )
            self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Cut all connections, and refuse new ones. Does nothing if the server is stopped."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()
            self._http.cut()
            self._http = None

    def close(self) -> None:
        """Stop, and give the port back."""
        self.stop()
        self._place.close()


@contextmanager
def serving(answer: Answerer, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve an answerer as long as the block runs."""
    server = Server(answer, tls=tls)
    server.start()
    try:
        yield server
    finally:
        server.close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: Answerer) -> None:
        self.answer = answer
        self._lines: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._lines.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._lines.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """Cut the connections that are open."""
        with self._lock:
            for line in self._lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Ignore the error: in some tests, the client closes the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, dict(self.headers.items()), body)
        try:
            reply = self.server.answer(asked)
        except Exception:  # a mistake in a test's server must not look like a fault that the test wants
            reply = Reply(traceback.format_exc().encode(), "text/plain; charset=utf-8", MISTAKE)
        if reply.write is not None:
            self.close_connection = True
            reply.write(self.wfile)
        elif not reply.drops or reply.body:
            self._send(reply)
        if reply.drops:
            self.close_connection = True
            self._reset()

    def _send(self, reply: Reply) -> None:
        headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body)), **reply.headers}
        self.send_response(reply.status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _reset(self) -> None:
        self.wfile.flush()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = do  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass
