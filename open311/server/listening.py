"""The socket that a server listens on. Accepted connections inherit its options."""

from __future__ import annotations

import socket
import sys

BACKLOG = 4_096
"""Connections that may wait to be accepted, unless the kernel has a smaller limit. Other clients must try again."""
KEEPALIVE_S = 60
"""Seconds without data after which the kernel asks whether the client still exists."""
PROBE_S, PROBES = 15, 4
"""The kernel asks every PROBE_S seconds. After PROBES questions without an answer it closes the connection."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises OSError, for example if another process listens on the port."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(listener)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _keep_alive(listener: socket.socket) -> None:
    """Let the kernel detect clients that have disappeared, such as phones without a network."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
