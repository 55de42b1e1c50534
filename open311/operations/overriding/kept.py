"""The overrides in the memory of a process, and when the process looks for changes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

from open311.domain.overrides import Stand


class KeptOverrides:
    """What a process knows about overrides. `operations.overriding.seeing` reads them.

    versions  the version of each city's overrides that the registry has
    stands    for each city: its overrides, and how each of them compares with the city's files
    next_at   when the process looks again, by the monotonic clock
    has_read  whether the process has read them at all
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.versions: dict[str, int] = {}
        self.stands: Mapping[str, Sequence[Stand]] = {}
        self.next_at = 0.0
        self.has_read = False
