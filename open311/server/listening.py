"""The socket that a server listens on. Accepted connections inherit its options."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import time
from contextlib import suppress

BACKLOG = 4_096
"""Connections that may wait to be accepted, unless the limit of the kernel is smaller. Further clients must try
again."""
KEEPALIVE_S = 60
"""Seconds without data after which the kernel asks whether the client still exists."""
PROBE_S, PROBES = 15, 4
"""The kernel asks every PROBE_S seconds. After PROBES questions without an answer it closes the connection."""
HANDSHAKE_S = 0.05
"""How long a handshake of a client in the same network may still take when a server stops listening."""
ACCEPT_S = 2.0
"""How long a server that stops listening waits at most for its processes to accept the last connections."""
SO_ATTACH_FILTER = 26
"""See socket(7). The module socket does not have this number."""
NO_NEW_CONNECTIONS = (
    struct.pack("=HBBI", 0x30, 0, 0, 13)  # load byte 13 of the TCP header, which has the flags
    + struct.pack("=HBBI", 0x45, 0, 1, 0x02)  # go on if SYN is set, otherwise skip one instruction
    + struct.pack("=HBBI", 0x06, 0, 0, 0)  # drop the packet
    + struct.pack("=HBBI", 0x06, 0, 0, 0xFFFFFFFF)  # take the packet
)
"""A program for the kernel's packet filter (classic BPF) that drops packets that ask for a new connection."""


def listen(host: str, port: int, *, is_open: bool = True) -> socket.socket:
    """A socket that listens. Raises OSError, for example if another process listens on the port.

    is_open  if false, the socket refuses connections until `begin_listening`
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(listener)
        listener.bind(address)
        if is_open:
            begin_listening(listener)
    except BaseException:
        listener.close()
        raise
    return listener


def begin_listening(listener: socket.socket) -> None:
    """Accept connections from now on. If the socket listens already, nothing changes."""
    listener.listen(BACKLOG)


def _keep_alive(listener: socket.socket) -> None:
    """Let the kernel detect clients that have disappeared, such as phones without a network."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)


def stop_listening(listener: socket.socket) -> None:
    """Stop listening, in all processes that share the listener, and lose no connection that a client has made.

    A shutdown resets connections that no process has accepted yet, and their clients may have sent a call already.
    So first the kernel drops packets that ask for new connections, and the processes accept the connections that
    are left. A client whose packet was dropped sends it again after a second, and is then refused. On other systems
    than Linux, a few connections may be lost.
    """
    if drop_new_connections(listener):
        give_up_at = time.monotonic() + ACCEPT_S
        time.sleep(HANDSHAKE_S)  # handshakes that have begun end meanwhile
        while _waiting(listener) and time.monotonic() < give_up_at:
            time.sleep(HANDSHAKE_S)
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def drop_new_connections(listener: socket.socket) -> bool:
    """Let the kernel drop packets that ask for new connections. Returns False on systems that cannot do so."""
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(NO_NEW_CONNECTIONS, len(NO_NEW_CONNECTIONS))
    described = struct.pack("@HP", len(NO_NEW_CONNECTIONS) // 8, ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
    except OSError:  # a sandbox may forbid it
        return False
    return True


def _waiting(listener: socket.socket) -> int:
    """The number of connections that no process has accepted yet, as Linux reports it for a listening socket."""
    try:
        told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    except OSError:  # another process has shut the socket down
        return 0
    return int(struct.unpack_from("=I", told, 24)[0])  # tcpi_unacked
