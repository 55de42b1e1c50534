"""Limits for clients: time, speed, size and number of connections."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits for clients.

    head_s       seconds until the end of a head: from the opening of the connection, or from the first byte of a
                 later request
    body_s       seconds between two checks of a body's speed
    reader_s     seconds between two checks of how fast a client reads its answer
    least_bytes  minimum speed, in bytes per second, of bodies that arrive and of clients that read an answer
    idle_s       seconds that a connection may stay open after an answer without a further request
    wait_s       seconds that a complete request may wait for a free thread
    body_bytes   size of the largest body that is received
    connections  greatest number of connections of a process
    per_address  greatest number of connections of one address in a process; 0: no limit
    """

    head_s: float
    body_s: float
    reader_s: float
    least_bytes: int
    idle_s: float
    wait_s: float
    body_bytes: int
    connections: int
    per_address: int
