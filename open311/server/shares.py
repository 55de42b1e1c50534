"""The shares of the web processes.

A share is the number of open connections of one process. All processes see all shares, so that the process with the
smallest share accepts the next connection.
"""

from __future__ import annotations

import mmap

_BYTES = 8


class Shares:
    """The shares of all processes, in shared memory. Must be made before the fork."""

    def __init__(self, count: int) -> None:
        self._numbers = memoryview(mmap.mmap(-1, count * _BYTES)).cast("q")

    def share(self, place: int) -> Share:
        """The share of the process at this place."""
        return Share(self._numbers, place)


class Share:
    """The share of one process: the number of its open connections."""

    def __init__(self, numbers: memoryview[int], place: int) -> None:
        self._numbers = numbers
        self._place = place

    def set(self, number: int) -> None:
        """Tell the other processes the number of connections of this process."""
        self._numbers[self._place] = number

    def is_ahead(self) -> bool:
        """Whether this process has clearly more connections than the process with the fewest connections.

        The difference has to be greater than an eighth of the fewest connections, rounded down. If the fewest
        connections are below eight, one connection more is enough. If one connection more were always enough, the
        processes would wait for each other after each connection in a burst, and would accept only one connection
        per ms.
        """
        least = min(self._numbers)
        return self._numbers[self._place] > least + least // 8
