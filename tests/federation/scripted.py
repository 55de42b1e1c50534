"""A server that answers each call with the next reply of a list, and keeps the calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from open311.federation.client import GeoReportClient, Limits

QUICK = Limits(rate_per_s=0, timeout_s=5, deadline_s=10, retries=0)


@dataclass(frozen=True)
class Reply:
    """An answer. `write` sends the whole answer itself, head and all, as bytes on the connection."""

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[Any], object] | None = None


@dataclass(frozen=True)
class Asked:
    """A call that the server received."""

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


@dataclass
class Script:
    """The replies, the calls and the origin of a server. The last reply is repeated."""

    replies: list[Reply]
    origin: str = ""
    asked: list[Asked] = field(default_factory=list)

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def client(self, **options: Any) -> GeoReportClient:
        """A client of this server that pauses for no time."""
        options = {"limits": QUICK, "pause": lambda _: None, "api_key": "the-secret-key", **options}
        return GeoReportClient(self.origin + "/v2", "city.example", **options)


def as_json(data: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps(data).encode(), status=status, headers=named)


def as_xml(text: str) -> Reply:
    return Reply(text.encode(), "text/xml; charset=utf-8")


@contextmanager
def serve(*replies: Reply) -> Iterator[Script]:
    """Serve the replies on a port of the loopback."""
    script = Script(list(replies))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            reply = script.next()
            if reply.write is not None:
                self.close_connection = True
                reply.write(self.wfile)
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.content_type, **reply.headers}.items():
                if value:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what some tests want."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    script.origin = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
