"""One connection: received data, data that is still to be sent, and the deadline."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from io import BytesIO
from threading import Lock

from open311.server.answers import Answer
from open311.server.bodies import Body, ChunkedBody, SizedBody
from open311.server.limits import Limits
from open311.server.messages import END, MOST_HEAD_BYTES, Environ, Malformed, Message, read_message

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SMALL_BYTES = 256
"""A piece of a request with fewer bytes than this is small."""
MOST_SMALL_PIECES = 50
"""A client trickles if it has sent more small pieces than this for one request."""
NEW_S = 1.0
"""A connection that is younger than this is new: its client may not have had the time to send a request."""
MOST_UNSENT_BYTES = 131_072
"""The next pipelined request waits until the kernel has less than half of this left to send."""


class Phase(Enum):
    """The event that a connection waits for.

    IDLE       the first byte of the next request
    HEAD       the end of a request's head; a new connection begins in this phase
    BODY       the end of a request's body
    WAITING    a free thread
    SERVING    the application
    SENDING    the client, which must read more of the answer, or more of earlier answers if a pipelined request
               is to be served next
    LINGERING  the end of the data that a client sends after its request was refused
    CLOSED     none, because the connection is closed
    """

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    WAITING = "waiting"
    SERVING = "serving"
    SENDING = "sending"
    LINGERING = "lingering"
    CLOSED = "closed"


class Connection:
    """The connection of a client. A thread must hold the lock of a connection while it works on the connection.

    basis     the part of the WSGI environment that is the same for all requests of the connection
    deadline  the time of monotonic() at which the watch (see threads.py) has to check the connection
    moved     the number of bytes at the last check: bytes of the body that the client had sent, or bytes of answers
              that the client had read
    message   the request that is being received or answered
    """

    def __init__(self, connected: socket.socket, address: str, basis: Environ, limits: Limits, now: float) -> None:
        self.socket = connected
        self.number = connected.fileno()
        self.address = address
        self.lock = Lock()
        self.phase = Phase.HEAD
        self.deadline = now + limits.head_s
        self._accepted_at = now
        self.moved = 0
        self.message: Message | None = None
        self.answer: Answer | None = None
        self.received = b""
        self.is_refused = False
        self._basis = basis
        self._limits = limits
        self._body: Body | None = None
        """Incomplete in the phase BODY, complete in later phases."""
        self._output = deque[memoryview]()
        self._sent = 0
        self._small_pieces = 0
        self._is_limited = False

    def take(self, data: bytes, now: float) -> Message | None:
        """Add received data. Returns the request once it is complete. Raises Malformed."""
        if self.phase is not Phase.BODY:
            data = self.received + data if self.received else data
            if data[:1] in (b"\r", b"\n"):  # some clients send an empty line after a body
                data = data.lstrip(b"\r\n")
            end = data.find(END)
            if end < 0:
                self._wait_for_head(data, now)
                return None
            end += len(END)
            if end > MOST_HEAD_BYTES:
                raise Malformed(431, f"Address and headers have more than {MOST_HEAD_BYTES} bytes.")
            message = self.message = read_message(data[:end], self._basis)
            data = data[end:]
            self.received = b""
            if message.length == 0:
                message.environ["wsgi.input"] = BytesIO()
                self.received = data
                return message
            self._begin_body(message, data, now)
        return self._take_body(data)

    def _wait_for_head(self, data: bytes, now: float) -> None:
        self.message = None
        if len(data) > MOST_HEAD_BYTES:
            raise Malformed(431, f"Address and headers have more than {MOST_HEAD_BYTES} bytes.")
        self.received = data
        if self.phase is Phase.IDLE and data:
            self.phase, self.deadline = Phase.HEAD, now + self._limits.head_s

    def _begin_body(self, message: Message, data: bytes, now: float) -> None:
        most = self._limits.body_bytes
        if message.length is not None and message.length > most:
            raise Malformed(413, "The body is too large; send less.")
        self._body = ChunkedBody(most=most) if message.length is None else SizedBody(message.length, most=most)
        self.phase, self.deadline, self.moved = Phase.BODY, now + self._limits.body_s, 0
        if message.is_awaited and not data:
            self.socket.send(CONTINUE)

    def _take_body(self, data: bytes) -> Message | None:
        message, body = self.message, self._body
        assert message is not None
        assert body is not None
        rest = body.take(data)
        if rest is None:
            return None
        self.received = rest
        if message.environ.pop("HTTP_TRANSFER_ENCODING", None):
            message.environ["CONTENT_LENGTH"] = str(body.size)
        message.environ["wsgi.input"] = body.file()
        return message

    def is_trickling(self, size: int) -> bool:
        """Count a piece of an incomplete request. Returns whether the request has had too many small pieces.

        size  bytes of the piece
        """
        if size >= SMALL_BYTES:
            return False
        self._small_pieces += 1
        return self._small_pieces > MOST_SMALL_PIECES

    @property
    def is_silent(self) -> bool:
        """Whether the connection waits for the first byte of a request."""
        return self.phase is Phase.IDLE or (self.phase is Phase.HEAD and not self.received)

    def is_new(self, now: float) -> bool:
        """Whether the first request of the connection may still be on its way."""
        return self.phase is Phase.HEAD and self.is_silent and now < self._accepted_at + NEW_S

    def has_arrivals(self) -> bool:
        """Whether data of the client has arrived that is not received yet."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:  # usually BlockingIOError
            return False

    def refuse(self) -> Message | None:
        """Mark the connection as refused.

        Returns the incomplete request, so that the application can answer it. Returns None if the head of the
        request has not been read.
        """
        message, self.received, self.is_refused = self.message, b"", True
        if message is not None:
            message.environ["wsgi.input"] = BytesIO()
            message.is_kept = False
        return message

    def send(self, pieces: Sequence[bytes]) -> bool:
        """Send data. Returns whether all data is sent; the rest is kept for `send_more`. Raises OSError."""
        try:
            sent = self.socket.send(pieces[0]) if len(pieces) == 1 else self.socket.sendmsg(pieces)
        except BlockingIOError:
            sent = 0
        self._sent += sent
        for number, piece in enumerate(pieces):
            if sent < len(piece):
                self._output = deque((memoryview(piece)[sent:], *(memoryview(one) for one in pieces[number + 1 :])))
                return False
            sent -= len(piece)
        return True

    def send_more(self) -> bool:
        """Send the rest. Returns whether all data is sent. Raises OSError."""
        while self._output:
            piece = self._output.popleft()
            try:
                sent = self.socket.send(piece)
            except BlockingIOError:
                sent = 0
            self._sent += sent
            if sent < len(piece):
                self._output.appendleft(piece[sent:])
                return False
        return True

    def has_moved(self, seconds: float) -> bool:
        """Whether the body or the answer has moved at the minimum speed or faster since the last check.

        True also if the client has read all that was sent, so that it waits for this server.
        seconds  time since the last check
        """
        if self.phase is Phase.BODY and self._body is not None:
            through, waits_for_us = self._body.size, False
        else:
            unread = unread_bytes(self.socket)
            through, waits_for_us = self._sent - unread, not unread
        is_enough = through - self.moved >= seconds * self._limits.least_bytes
        self.moved = through
        return is_enough or waits_for_us

    def begin_sending(self, now: float) -> None:
        """Wait until the client reads more of the answer."""
        if self.phase is not Phase.SENDING:
            self.phase, self.deadline = Phase.SENDING, now + self._limits.reader_s
            self.moved = self._sent - unread_bytes(self.socket)

    def limit_unsent(self) -> None:
        """Limit the data that the kernel keeps to send. Beyond the limit, the kernel accepts no more data.

        Without this limit, the kernel accepts the answers to many pipelined requests, though the client reads no
        answer.
        """
        if not self._is_limited and sys.platform == "linux":
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES)
        self._is_limited = True

    def begin_next(self, now: float) -> None:
        """Wait for the next request."""
        self._close_body()
        self.message = None
        self._small_pieces = 0
        self.phase, self.deadline = Phase.IDLE, now + self._limits.idle_s

    def end(self) -> None:
        """Close the socket, and the answer if one is being sent."""
        self.phase, self.deadline = Phase.CLOSED, float("inf")
        with suppress(OSError):
            self.socket.close()
        self._close_body()
        self._output.clear()
        if self.answer is not None:
            self.answer.close()
            self.answer = None

    def _close_body(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


def unread_bytes(connected: socket.socket) -> int:
    """The number of sent bytes that the client has not received yet; 0 if the system does not know this number."""
    if sys.platform != "linux":
        return 0
    try:
        return int(struct.unpack("i", fcntl.ioctl(connected, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0
