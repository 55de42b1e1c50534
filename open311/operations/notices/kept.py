"""The notices of all cities in the memory of a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock

from open311.domain.city_notices import CityNotice


class KeptNotices:
    """The notices that are valid or planned, the worst first. `operations.notices.current` reads them again.

    read_at  when they were read, or when reading them failed; None before the first time and after `forget`
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.read_at: datetime | None = None
        self.by_city: Mapping[str, Sequence[CityNotice]] = {}

    def forget(self) -> None:
        """Read the notices again at the next call, because this process has changed one."""
        self.read_at = None
