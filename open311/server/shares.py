"""The number of connections of each web process, so that the process with the fewest accepts the next one."""

from __future__ import annotations

import mmap

_BYTES = 8


class Shares:
    """One number per process, in shared memory. Must be made before the fork."""

    def __init__(self, count: int) -> None:
        self._numbers = memoryview(mmap.mmap(-1, count * _BYTES)).cast("q")

    def share(self, place: int) -> Share:
        """The share of the process at this place."""
        return Share(self._numbers, place)


class Share:
    """The number of connections of one process."""

    def __init__(self, numbers: memoryview[int], place: int) -> None:
        self._numbers = numbers
        self._place = place

    def set(self, number: int) -> None:
        """Publish the number to the other processes."""
        self._numbers[self._place] = number

    def is_ahead(self) -> bool:
        """Whether another process has fewer connections."""
        return self._numbers[self._place] > min(self._numbers)
