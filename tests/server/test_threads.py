"""Slow clients occupy no thread of a web process, and do not delay other clients."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from open311.server.limits import Limits
from open311.server.listening import listen
from open311.server.messages import REFUSAL
from open311.server.threads import Threads
from tests.waiting import until

LONG_S = 60
"""A timeout that no test reaches."""
LIMITS = Limits(
    head_s=LONG_S,
    body_s=LONG_S,
    reader_s=LONG_S,
    least_bytes=1_000,
    idle_s=LONG_S,
    wait_s=LONG_S,
    body_bytes=100_000,
    connections=100,
    per_address=0,
)
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
DRIP = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nab"
ENDLESS_PIECE = b"x" * 100_000
Serve = Callable[..., "Served"]


HEADERS = {"/short": [("Content-Length", "9")], "/dated": [("Date", "Sun, 01 Mar 2026 09:00:00 GMT")]}
"""The headers that the application sends, by path."""


class Application:
    """A WSGI application with a path for each behaviour that the tests need."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.inside = 0
        self.large = 0
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if REFUSAL in environ:
            start(f"{environ[REFUSAL]} Refused", [])
            return [b"refused " + path.encode()]
        if path == "/locked":
            self.inside += 1
            self.gate.wait(LONG_S)
        if path == "/broken":
            raise ValueError("broken")
        start("200 OK", HEADERS.get(path, []))
        if path == "/echo":
            return [environ["wsgi.input"].read()]
        if path == "/large":
            self.large += 1
            return [ENDLESS_PIECE]
        if path in ("/endless", "/pieces", "/short"):
            return self.pieces(3 if path == "/pieces" else 1 if path == "/short" else None)
        return [path.encode()]

    def pieces(self, count: int | None) -> Iterator[bytes]:
        try:
            while count is None or count > 0:
                yield ENDLESS_PIECE if count is None else b"piece"
                count = None if count is None else count - 1
        finally:
            self.closed += 1


class Served:
    """A served application, and the clients that call it."""

    def __init__(self, address: tuple[str, int], application: Application, stack: ExitStack) -> None:
        self.address = address
        self.application = application
        self._stack = stack

    def call(self, data: bytes = b"", *, buffer: int = 0) -> socket.socket:
        """A client that has sent this data.

        buffer  bytes that the kernel receives for a client that does not read
        """
        caller = self._stack.enter_context(closing(socket.socket()))
        if buffer:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        caller.settimeout(LONG_S)
        caller.connect(self.address)
        caller.sendall(data)
        return caller

    def get(self, path: bytes = b"/hello") -> bytes:
        """The answer to a client that makes a single call."""
        return everything(self.call(LAST % path))


@pytest.fixture
def served() -> Iterator[Serve]:
    """Serves an application with two threads, and stops it at the end of the test."""
    with ExitStack() as stack:
        yield lambda **limits: stack.enter_context(serving(replace(LIMITS, **limits)))


@contextmanager
def serving(limits: Limits) -> Iterator[Served]:
    application = Application()
    with closing(listen("127.0.0.1", 0)) as listener, ExitStack() as stack:
        threads = Threads(listener, application, limits, count=2, prompt=("/prompt",))
        threads.start()
        yield Served(listener.getsockname(), application, stack)
        application.gate.set()
        stack.close()
        listener.shutdown(socket.SHUT_RDWR)
        threads.stop(LONG_S)


def everything(caller: socket.socket) -> bytes:
    """All bytes that a client receives until the connection ends."""
    found = b""
    with suppress(ConnectionResetError):
        while data := caller.recv(65_536):
            found += data
    return found


def answer(caller: socket.socket) -> bytes:
    """One answer with a Content-Length."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += caller.recv(65_536)
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += caller.recv(65_536)
    return body


def is_ended(caller: socket.socket) -> bool:
    """Whether the server has closed the connection. Bytes that it sent before are skipped."""
    caller.setblocking(False)
    try:
        while caller.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_a_request_is_answered_and_the_connection_stays(served: Serve) -> None:
    caller = served().call(GET % b"/one")
    assert answer(caller) == b"/one"
    caller.sendall(GET % b"/two" + LAST % b"/three")
    first, second = everything(caller).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert (first.endswith(b"/two"), second.endswith(b"/three")) == (True, True)


def test_pipelined_requests_are_answered_in_order(served: Serve) -> None:
    server = served()
    busy = server.call(b"".join(GET % b"/%d" % number for number in range(500)) + LAST % b"/last")
    assert server.get().endswith(b"/hello")
    bodies = [part.rpartition(b"\r\n")[2] for part in everything(busy).split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [b"/%d" % number for number in range(500)] + [b"/last"]


def test_pipelined_requests_of_a_slow_reader_are_not_refused_while_threads_are_idle(served: Serve) -> None:
    server = served(wait_s=0.01, head_s=1.0)
    slow = server.call(GET % b"/large" * 20 + LAST % b"/last", buffer=4_096)
    silent = server.call()
    until(lambda: is_ended(silent), "the watch to check all connections")
    assert everything(slow).count(b"HTTP/1.1 200 OK") == 21


def test_a_request_can_be_sent_byte_by_byte(served: Serve) -> None:
    caller = served().call()
    for byte in b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
        caller.sendall(bytes([byte]))
    assert answer(caller) == b"abc"


def test_a_body_in_hundreds_of_single_bytes_is_read(served: Serve) -> None:
    caller = served().call(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n")
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(200):
        caller.sendall(b"x")
    assert answer(caller) == b"x" * 200


def test_the_application_gets_a_complete_chunked_body(served: Serve) -> None:
    caller = served().call(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert answer(caller) == b"abc"


def test_a_client_that_expects_100_continue_gets_it(served: Serve) -> None:
    caller = served().call(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert caller.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    caller.sendall(b"abc")
    assert answer(caller) == b"abc"


def test_a_stream_without_length_is_chunked_for_new_clients_and_ends_the_connection_of_old_ones(
    served: Serve,
) -> None:
    server = served()
    assert server.get(b"/pieces").endswith(b"\r\n\r\nf\r\npiecepiecepiece\r\n0\r\n\r\n")
    assert everything(server.call(b"GET /pieces HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\npiecepiecepiece")


def test_each_answer_has_one_date_also_if_the_application_gives_one(served: Serve) -> None:
    server = served()
    assert server.get(b"/hello").lower().count(b"\r\ndate: ") == 1
    dated = server.get(b"/dated")
    assert dated.lower().count(b"\r\ndate: ") == 1
    assert b"Date: Sun, 01 Mar 2026 09:00:00 GMT" in dated


def test_head_has_no_body(served: Serve) -> None:
    server = served()
    found = everything(server.call(b"HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n" + LAST % b"/next"))
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in found
    assert found.endswith(b"\r\n\r\n/next")


def test_an_exception_of_the_application_gives_500(served: Serve) -> None:
    server = served()
    assert server.get(b"/broken").startswith(b"HTTP/1.1 500 ")
    assert server.get().endswith(b"/hello")


def test_an_answer_shorter_than_its_length_ends_the_connection(served: Serve) -> None:
    assert b"piece" not in everything(served().call(GET % b"/short"))


def test_a_broken_head_gets_400_and_the_server_continues(served: Serve) -> None:
    server = served()
    assert everything(server.call(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    assert server.get().endswith(b"/hello")


def test_a_head_without_end_gets_431(served: Serve) -> None:
    assert everything(served().call(b"GET /" + b"a" * 70_000)).startswith(b"HTTP/1.1 431 ")


def test_the_application_answers_413_for_a_body_over_the_limit_and_the_client_gets_it(served: Serve) -> None:
    server = served(body_bytes=10)
    sized = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    assert everything(server.call(sized)).startswith(b"HTTP/1.1 413 ")
    chunked = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + b"x" * 255
    assert everything(server.call(chunked)).endswith(b"refused /a")


def test_eight_clients_that_do_not_send_their_body_occupy_no_thread(served: Serve) -> None:
    server = served()
    callers = [server.call(DRIP) for _ in range(8)]
    assert server.get().endswith(b"/hello")
    callers[0].sendall(b"c" * 998)
    assert answer(callers[0]) == b"ab" + b"c" * 998


def test_a_caller_whose_body_makes_no_progress_is_disconnected_and_a_slow_body_is_read(served: Serve) -> None:
    server = served(body_s=1, least_bytes=10)
    lively, slow = server.call(DRIP.replace(b"1000", b"90000")), server.call(DRIP)
    sent = [2]

    def sees_the_slow_one_end() -> bool:
        lively.sendall(b"c" * 50)
        sent.append(50)
        return is_ended(slow)

    until(sees_the_slow_one_end, "the end of the slow caller")
    lively.sendall(b"c" * (90_000 - sum(sent)))
    assert len(answer(lively)) == 90_000


def test_a_client_with_a_late_body_gets_the_reason(served: Serve) -> None:
    found = everything(served(body_s=0.1).call(DRIP))
    assert found.startswith(b"HTTP/1.1 408 ")
    assert found.endswith(b"refused /echo")


def test_an_incomplete_head_gets_408_and_a_silent_connection_is_closed_without_answer(served: Serve) -> None:
    server = served(head_s=0)
    assert everything(server.call(b"GET / HT")).startswith(b"HTTP/1.1 408 ")
    assert everything(server.call()) == b""


def test_an_idle_connection_is_closed(served: Serve) -> None:
    caller = served(idle_s=0).call(GET % b"/one")
    assert everything(caller).endswith(b"/one")


def test_eight_clients_that_do_not_read_occupy_no_thread(served: Serve) -> None:
    server = served()
    readers = [server.call(GET % b"/endless", buffer=4_096) for _ in range(8)]
    assert server.get().endswith(b"/hello")
    assert readers[0].recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep little for a client that does not read")
def test_the_next_pipelined_request_waits_until_the_answers_before_it_are_read(served: Serve) -> None:
    here = served()
    caller = here.call(GET % b"/large" * 9 + LAST % b"/large", buffer=4_096)
    until(lambda: here.application.large, "the first call of /large")
    assert [here.get() for _ in range(3)][-1].endswith(b"/hello")
    assert here.application.large == 1
    assert everything(caller).count(b"HTTP/1.1 200 OK") == 10


def test_a_client_that_does_not_read_is_disconnected_and_the_stream_is_closed(served: Serve) -> None:
    server = served(reader_s=1)
    reader = server.call(GET % b"/endless", buffer=4_096)
    until(lambda: server.application.closed, "the end of the stream")
    until(lambda: is_ended(reader), "the end of the connection")


def test_the_stream_is_closed_when_the_client_disconnects(served: Serve) -> None:
    server = served()
    server.call(GET % b"/endless", buffer=4_096).close()
    until(lambda: server.application.closed, "the end of the stream")


def test_prompt_paths_are_answered_while_all_threads_are_busy_and_other_calls_wait(served: Serve) -> None:
    server = served()
    locked = [server.call(GET % b"/locked") for _ in range(2)]
    until(lambda: server.application.inside == 2, "both threads")
    waiting = server.call(GET % b"/hello")
    assert server.get(b"/prompt").endswith(b"/prompt")
    server.application.gate.set()
    assert [answer(one) for one in (*locked, waiting)] == [b"/locked", b"/locked", b"/hello"]


def test_a_request_that_waits_too_long_for_a_thread_gets_503(served: Serve) -> None:
    server = served(wait_s=0)
    locked = [server.call(GET % b"/locked") for _ in range(2)]
    until(lambda: server.application.inside == 2, "both threads")
    found = everything(server.call(GET % b"/hello"))
    assert found.startswith(b"HTTP/1.1 503 ")
    assert found.endswith(b"refused /hello")
    server.application.gate.set()
    assert [answer(one) for one in locked] == [b"/locked", b"/locked"]


def test_the_number_of_connections_of_one_address_is_limited(served: Serve) -> None:
    server = served(per_address=2)
    first, second = server.call(GET % b"/one"), server.call(GET % b"/two")
    assert (answer(first), answer(second)) == (b"/one", b"/two")
    assert everything(server.call()).startswith(b"HTTP/1.1 429 ")
    first.close()
    until(lambda: server.get().endswith(b"/hello"), "room for another connection")


def test_silent_connections_are_closed_for_connections_with_requests(served: Serve) -> None:
    server = served(connections=3)
    silent = [server.call() for _ in range(30)]
    assert server.get().endswith(b"/hello")
    assert is_ended(silent[0])


def test_a_process_at_its_limit_makes_room_for_several_connections_at_once(served: Serve) -> None:
    server = served(connections=64)
    silent = [server.call() for _ in range(64)]
    assert server.get().endswith(b"/hello")
    assert [is_ended(one) for one in silent[:2]] == [True, True]


def test_a_server_that_is_stopped_during_a_call_leaves_no_thread() -> None:
    with serving(LIMITS) as server:
        silent, locked = server.call(), server.call(GET % b"/locked")
        until(lambda: server.application.inside == 1, "the call")
        silent.sendall(b"")
    # The end of the block has let the waiting calls go on, closed the clients and waited for all threads.
    assert not [thread for thread in threading.enumerate() if thread.name in ("work", "watch", "accept")]
    assert locked.fileno() == -1
