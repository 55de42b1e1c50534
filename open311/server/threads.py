"""The threads of a web process. A thread never waits for a single client.

All threads wait together until any connection is ready. A thread that receives a complete request serves the
request at once. So one thread receives, serves and answers most requests, and does not hand them to another thread.
An incomplete request stays with its connection and uses no thread. An answer that its client does not read uses no
thread either. If a client sends a request in many tiny pieces, the server receives from this client only once in
each tick of the watch.

One more thread is called the watch. The watch ends connections that take too long. While all threads are busy, the
watch receives requests for the threads, so that the waiting time of a request is limited. During that time, the
watch also answers the prompt paths, such as /healthz.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Collection
from threading import Lock, Thread
from typing import TYPE_CHECKING

from open311.observe import loggable, logger
from open311.server.accepting import Acceptor
from open311.server.answers import Answer, Start, close_result, plain_answer
from open311.server.connections import Connection, Phase
from open311.server.holding import Held
from open311.server.limits import Limits
from open311.server.messages import REFUSAL, Malformed, Message
from open311.server.pollers import make_poller
from open311.server.shares import Share, Shares

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logger(__name__)

RECEIVE_BYTES = 65_536
TURN_BYTES = 1_048_576
"""A thread that has sent this many bytes of a stream serves other connections before it goes on."""
LINGER_S = 3.0
TICK_S = 0.1
"""Seconds between two checks in which the watch tests whether all threads are busy."""
LOOK_S = 0.5
"""Seconds between two checks in which the watch looks for connections that take too long."""
PAUSE_S = 0.05
MOST_AT_ONCE = 64
RECEIVING = (Phase.IDLE, Phase.HEAD, Phase.BODY)
NOTE_S = 10.0
"""The minimum number of seconds between two log lines about connections that were cut off."""


class Threads:
    """The threads of one web process.

    prompt  paths that the watch may answer while all threads are busy, because their views never wait
    share   tells the other processes the number of connections of this process
    """

    def __init__(
        self,
        listener: socket.socket,
        application: WSGIApplication,
        limits: Limits,
        *,
        count: int,
        prompt: Collection[str] = (),
        share: Share | None = None,
    ) -> None:
        self._application = application
        self._limits = limits
        self._count = count
        self._prompt = frozenset(prompt)
        self._poller = make_poller()
        share = share or Shares(1).share(0)
        self._held = Held(share)
        self._acceptor = Acceptor(listener, self._held, self._poller, limits, share)
        self._lock = Lock()
        self._waiting: deque[Connection] = deque()
        self._resting: deque[Connection] = deque()
        self._idle = 0
        self._turns = 0
        self._is_draining = self._is_stopping = self._is_over = False
        self._end_pipe = -1
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Begin to accept and to serve."""
        for work in (self._accept, self._watch, *[self._work] * self._count):
            thread = Thread(target=self._go_on, args=(work,), daemon=True, name=work.__name__.strip("_"))
            self._threads.append(thread)
            thread.start()

    def _go_on(self, work: Callable[[], None]) -> None:
        """Do the work of a thread. After an unexpected error, log the error and begin the work again."""
        is_done = False
        while not (is_done or self._is_over):
            try:
                work()
                is_done = True
            except Exception as error:
                log.error("a thread failed and goes on", thread=work.__name__, exc_info=error)
                time.sleep(PAUSE_S)

    @property
    def is_listening(self) -> bool:
        """Whether new connections can arrive."""
        return self._acceptor.is_listening

    def drain(self) -> None:
        """Close each connection after its next answer, so that clients use another server. Calls are served."""
        self._is_draining = True

    def stop(self, grace_s: float) -> None:
        """Finish the calls that have begun. Returns when they are finished, or after the given time.

        Shut down the listener first, because only the shutdown wakes the thread that accepts connections.
        """
        self._is_draining = self._is_stopping = True
        give_up_at = time.monotonic() + grace_s
        while len(self._held) and (now := time.monotonic()) < give_up_at:
            for connection in self._held:
                if not connection.is_new(now):
                    self._held.end_if_silent(connection)
            time.sleep(PAUSE_S)
        self._is_over = True
        self._end_pipe, writable = os.pipe()
        self._poller.watch(self._end_pipe, is_new=True)
        # Now the pipe is always ready. A thread that wakes watches the pipe again, and so wakes the next thread.
        os.close(writable)
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))

    def _accept(self) -> None:
        self._acceptor.run(lambda: self._is_stopping)

    # --- Threads at work

    def _work(self) -> None:
        while True:
            connection = self._next()
            if connection is not None:
                with connection.lock:
                    self._guarded(connection, self._proceed)
            elif self._is_over:
                self._poller.watch(self._end_pipe)
                return

    def _next(self) -> Connection | None:
        """The first connection in the queue. If the queue is empty, the next connection that is ready."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle += 1
        try:
            ready = self._poller.wait()
        finally:
            with self._lock:
                self._idle -= 1
                self._turns += 1
        return self._held.get(ready[0]) if ready else None

    def _guarded(self, connection: Connection, work: Callable[[Connection], None]) -> None:
        """Work on a connection. Ends the connection if the client has disconnected or something fails."""
        try:
            work(connection)
        except OSError:  # the client has disconnected
            self._held.end(connection)
        except Exception as error:
            log.error("a connection failed", exc_info=error)
            self._held.end(connection)

    def _proceed(self, connection: Connection) -> None:
        """Do the next step for a connection. Other connections are served before its next request."""
        phase = connection.phase
        if phase in RECEIVING:
            message = self._receive(connection)
            is_answered = message is not None and self._serve(connection, message)
        elif phase is Phase.SENDING:
            is_answered = self._send_more(connection)
        elif phase is Phase.WAITING and connection.message is not None:
            is_answered = self._serve(connection, connection.message)
        else:
            is_answered = False
            self._discard(connection)
        if is_answered and self._next_message(connection) is not None:
            self._wait_for_turn(connection)

    def _wait_for_turn(self, connection: Connection) -> None:
        """Let a pipelined request wait for other connections, and until the client has read earlier answers."""
        connection.limit_unsent()
        self._wait_for_reader(connection)

    def _receive(self, connection: Connection) -> Message | None:
        """Receive the data that has arrived. Returns the request if the request is complete now."""
        try:
            data = connection.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            self._poller.watch(connection.number)
            return None
        if not data:
            self._held.end(connection)
            return None
        return self._take(connection, data)

    def _take(self, connection: Connection, data: bytes) -> Message | None:
        try:
            message = connection.take(data, time.monotonic())
        except Malformed as fault:
            self._refuse(connection, fault)
            return None
        if message is None and data and connection.is_trickling(len(data)):
            self._resting.append(connection)
        elif message is None:
            self._poller.watch(connection.number)
        return message

    def _next_message(self, connection: Connection) -> Message | None:
        connection.begin_next(time.monotonic())
        if connection.received:
            return self._take(connection, b"")
        self._poller.watch(connection.number)
        return None

    # --- Answering

    def _serve(self, connection: Connection, message: Message) -> bool:
        """Serve a request. Returns whether its answer is sent and the connection stays open."""
        connection.phase, start, result = Phase.SERVING, Start(), None
        try:
            result = self._application(message.environ, start)
            answer = connection.answer = Answer(message, start, result, is_kept=not self._is_draining)
        except Exception as error:
            log.error("fault", path=loggable(message.environ["PATH_INFO"]), exc_info=error)
            close_result(result)
            self._dismiss(connection, plain_answer(500, "The server failed. Its log has the error."))
            return False
        return self._send(connection, answer)

    def _send(self, connection: Connection, answer: Answer) -> bool:
        """Send an answer until the client does not read more, or until other connections have to be served."""
        sent = 0
        while answer.has_more:
            pieces = answer.next_pieces()
            sent += sum(map(len, pieces))
            if not connection.send(pieces) or sent > TURN_BYTES:
                self._wait_for_reader(connection)
                return False
        return self._finish(connection, answer)

    def _send_more(self, connection: Connection) -> bool:
        """Send more of an answer. If all is sent, serve the pipelined request that waited for it."""
        if connection.answer is None and connection.message is not None:
            return self._serve(connection, connection.message)
        if connection.answer is not None and connection.send_more():
            return self._send(connection, connection.answer)
        self._wait_for_reader(connection)
        return False

    def _wait_for_reader(self, connection: Connection) -> None:
        connection.begin_sending(time.monotonic())
        self._poller.watch(connection.number, for_room=True)

    def _finish(self, connection: Connection, answer: Answer) -> bool:
        connection.answer = None
        answer.close()
        if answer.is_kept and not self._is_stopping:
            return True
        if connection.is_refused:
            self._linger(connection)
        else:
            self._held.end(connection)
        return False

    # --- Refusing

    def _refuse(self, connection: Connection, fault: Malformed) -> None:
        """Answer a request that cannot be served, such as a malformed request, and close the connection."""
        message = connection.refuse()
        if message is None:
            self._dismiss(connection, plain_answer(fault.status, fault.reason))
        else:
            message.environ[REFUSAL] = fault.status
            self._serve(connection, message)

    def _dismiss(self, connection: Connection, answer: bytes) -> None:
        connection.send((answer,))
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Receive and discard data of the client for a moment. Without this, the client could lose the answer."""
        connection.phase, connection.deadline = Phase.LINGERING, time.monotonic() + LINGER_S
        connection.socket.shutdown(socket.SHUT_WR)
        self._poller.watch(connection.number)

    def _discard(self, connection: Connection) -> None:
        if connection.phase is Phase.LINGERING:
            if connection.socket.recv(RECEIVE_BYTES):
                self._poller.watch(connection.number)
            else:
                self._held.end(connection)

    # --- Watching

    def _watch(self) -> None:
        turns, rested_at, looked_at, noted_at = -1, 0.0, 0.0, 0.0
        while not self._is_over:
            # If all threads are busy and none has taken a connection since the last tick, all are in long calls.
            is_stuck, turns = not self._idle and self._turns == turns, self._turns
            if is_stuck:
                self._stand_in(TICK_S)
            else:
                time.sleep(TICK_S)
                self._stand_in(0)
            now = time.monotonic()
            if now - rested_at >= TICK_S:
                rested_at = now
                self._wake_resting()
            if now - looked_at >= LOOK_S:
                looked_at = now
                self._look_at_all(now)
            if now - noted_at >= NOTE_S:
                noted_at = now
                self._held.note_cut()

    def _stand_in(self, timeout_s: float) -> None:
        """Receive requests while all threads are busy, so that their waiting time is measured."""
        if self._idle:
            return
        for number in self._poller.wait(timeout_s, MOST_AT_ONCE):
            connection = self._held.get(number)
            if connection is None:
                if self._is_over:  # the ready file is the pipe that wakes the threads
                    self._poller.watch(self._end_pipe)
            # A thread may still hold the lock for a moment after its last work on this connection.
            elif connection.lock.acquire(timeout=1.0):
                try:
                    self._guarded(connection, self._sort)
                finally:
                    connection.lock.release()

    def _sort(self, connection: Connection) -> None:
        """Put a complete request into the queue for a thread, or serve it at once if its path is a prompt path."""
        if connection.phase is Phase.SENDING and connection.answer is None:
            self._line_up(connection)
        elif connection.phase in (Phase.SENDING, Phase.WAITING):
            self._hand_over(connection)
        elif connection.phase not in RECEIVING:
            self._discard(connection)
        else:
            message = self._receive(connection)
            while message is not None and message.environ["PATH_INFO"] in self._prompt:
                message = self._next_message(connection) if self._serve(connection, message) else None
            if message is not None:
                self._line_up(connection)

    def _line_up(self, connection: Connection) -> None:
        """Put a request into the queue for a thread."""
        connection.phase, connection.deadline = Phase.WAITING, time.monotonic() + self._limits.wait_s
        self._hand_over(connection)

    def _hand_over(self, connection: Connection) -> None:
        with self._lock:
            if not self._idle:
                self._waiting.append(connection)
                return
        # A socket that data can be sent to is ready at once, so an idle thread gets the connection.
        self._poller.watch(connection.number, for_room=True)

    def _wake_resting(self) -> None:
        """Receive again from clients that trickle. Each of these clients costs at most one turn per tick."""
        for _ in range(len(self._resting)):
            connection = self._resting.popleft()
            with connection.lock:  # no thread works on a connection that rests
                if connection.phase in RECEIVING:
                    self._poller.watch(connection.number)

    def _look_at_all(self, now: float) -> None:
        for connection in self._held:
            if connection.deadline <= now and connection.lock.acquire(blocking=False):
                try:
                    self._guarded(connection, self._look_at)
                finally:
                    connection.lock.release()

    def _look_at(self, connection: Connection) -> None:
        """End a connection if its deadline is over and its data does not move fast enough."""
        now, phase, limits = time.monotonic(), connection.phase, self._limits
        if connection.deadline > now:
            return
        if phase is Phase.BODY and connection.has_moved(limits.body_s):
            connection.deadline = now + limits.body_s
        elif phase is Phase.SENDING and connection.has_moved(limits.reader_s):
            connection.deadline = now + limits.reader_s
        elif phase is Phase.WAITING and self._idle and connection.has_moved(limits.wait_s):
            # Threads are idle: the request waits only because the client still reads earlier answers.
            connection.deadline = now + limits.wait_s
        elif phase is Phase.WAITING:
            self._held.count_cut("waited_for_a_thread")
            self._refuse(connection, Malformed(503, "All threads are busy."))
        elif phase is Phase.BODY or (phase is Phase.HEAD and connection.received):
            self._held.count_cut(f"slow_{phase.value}")
            self._refuse(connection, Malformed(408, "The request took too long."))
        else:
            if phase is Phase.SENDING:
                self._held.count_cut("slow_reader")
            self._held.end(connection)
