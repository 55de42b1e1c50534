"""Requests that follow each other on one connection. The places where the data is cut have no effect."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from open311.server.connections import MOST_SMALL_PIECES, SMALL_BYTES, Connection
from tests.server.test_threads import LIMITS

REQUESTS = (
    b"POST /sized HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\nA: b\r\n\r\n",
    b"POST /h2c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\r\nx\r\n0\r\n\r\n",
    b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"\r\nGET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
)
READ = (
    ("/sized", b"abc", "3"),
    ("/chunked", b"\r\n\r\n", "4"),
    ("/h2c", b"x", "1"),
    ("/none", b"", None),
    ("/upgrade", b"", None),
    ("/old", b"", None),
)


@given(st.permutations(range(len(REQUESTS))), st.sets(st.integers(1, 500), max_size=8))
def test_requests_are_read_one_by_one_wherever_the_data_is_cut(order: list[int], cuts: set[int]) -> None:
    data = b"".join(REQUESTS[number] for number in order)
    assert list(read_all(cut_up(data, cuts))) == [READ[number] for number in order]


def test_requests_are_read_from_single_bytes() -> None:
    data = b"".join(REQUESTS)
    assert list(read_all(cut_up(data, range(1, len(data))))) == list(READ)


def test_a_client_counts_as_trickling_after_many_small_pieces_of_one_request() -> None:
    ours, theirs = socket.socketpair()
    with closing(theirs), closing(ours):
        connection = Connection(ours, "127.0.0.1", {}, LIMITS, 0.0)
        assert not any(connection.is_trickling(1) for _ in range(MOST_SMALL_PIECES))
        assert [connection.is_trickling(size) for size in (1, SMALL_BYTES)] == [True, False]
        connection.begin_next(0.0)
        assert not connection.is_trickling(1)


def cut_up(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    ends = [*sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def read_all(pieces: list[bytes]) -> Iterator[tuple[str, bytes, str | None]]:
    """Path, body and length of each request."""
    ours, theirs = socket.socketpair()
    with closing(theirs), closing(ours):
        connection = Connection(ours, "127.0.0.1", {}, LIMITS, 0.0)
        for piece in pieces:
            message = connection.take(piece, 0.0)
            while message is not None:
                environ = message.environ
                yield environ["PATH_INFO"], environ["wsgi.input"].read(), environ.get("CONTENT_LENGTH")
                connection.begin_next(0.0)
                message = connection.take(b"", 0.0)
