"""A server that stops loses no call that a client has sent."""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import closing

import pytest

from open311.server.connections import NEW_S, Connection
from open311.server.holding import Held
from open311.server.listening import begin_listening, drop_new_connections, listen, stop_listening
from open311.server.shares import Shares
from open311.server.threads import Threads
from tests.server.test_threads import GET, LIMITS, LONG_S, Application, everything
from tests.waiting import until


def test_a_connection_whose_request_has_arrived_is_not_silent() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    held = Held(Shares(1).share(0))
    with closing(ours), closing(theirs):
        connection = Connection(ours, "a", {}, LIMITS, time.monotonic())
        held.add(connection)
        theirs.sendall(b"GET")
        assert connection.is_silent
        assert not held.end_if_silent(connection)
        ours.recv(3)
        assert held.end_if_silent(connection)
        assert theirs.recv(1) == b""


def test_a_connection_is_new_until_its_client_has_had_time_to_send() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        connection = Connection(ours, "a", {}, LIMITS, 100.0)
        assert connection.is_new(100.0)
        assert not connection.is_new(100.0 + NEW_S)
        connection.take(b"GET", 100.0)
        assert not connection.is_new(100.0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can drop new connections")
def test_connections_that_wait_are_accepted_after_new_ones_are_dropped() -> None:
    with closing(listen("127.0.0.1", 0)) as listener, closing(socket.socket()) as waiting:
        waiting.connect(listener.getsockname())
        assert drop_new_connections(listener)
        with closing(socket.socket()) as late:
            late.setblocking(False)
            late.connect_ex(listener.getsockname())
            accepted, address = listener.accept()
            with closing(accepted):
                assert address == waiting.getsockname()
            listener.settimeout(0)
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_calls_that_came_before_the_end_are_served() -> None:
    application = Application()
    with closing(listen("127.0.0.1", 0)) as listener:
        threads = Threads(listener, application, LIMITS, count=2)
        callers = [socket.create_connection(listener.getsockname()) for _ in range(20)]
        for caller in callers:
            caller.settimeout(LONG_S)
            caller.sendall(GET % b"/hello")
        threads.drain()
        threads.start()
        stop_listening(listener)
        until(lambda: not threads.is_listening, "the end of the thread that accepts")
        threads.stop(LONG_S)
        said = [everything(caller) for caller in callers]
        for caller in callers:
            caller.close()
    assert all(answer.startswith(b"HTTP/1.1 200 OK") and b"Connection: close" in answer for answer in said)


def test_a_server_that_does_not_listen_yet_refuses_connections() -> None:
    with closing(listen("127.0.0.1", 0, is_open=False)) as listener:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(listener.getsockname())
        begin_listening(listener)
        accepting = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        accepting.start()
        socket.create_connection(listener.getsockname()).close()
        accepting.join(LONG_S)
        assert not accepting.is_alive()
