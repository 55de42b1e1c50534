"""A webhook is sent to a real receiver, and the HTTP status of each answer decides, as Standard Webhooks says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from open311.clock import utc_now
from open311.domain.ids import new_webhook_secret
from open311.federation.webhooks import Receivers, trusted_hosts


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A receiver that sends exactly these bytes as its only answer, and closes the connection. Yields its host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                while not connection.recv(65_536).endswith(b"{}"):
                    pass
                connection.sendall(raw)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.0 503 Down\r\n\r\n", "503"),
        (b"", "unreachable"),
    ],
)
def test_the_status_alone_tells_whether_a_webhook_is_accepted(raw: bytes, fault: str) -> None:
    with answering(raw) as host:
        receivers = Receivers(timeout_s=5, trusted=trusted_hosts([host]))
        secrets = (new_webhook_secret(),)
        reply = receivers.send(f"http://{host}/hook", b"{}", "msg_1", secrets=secrets, now=utc_now())
        receivers.close()
    assert reply.fault == fault
