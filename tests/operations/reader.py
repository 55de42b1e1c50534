"""Readers of pages that find missed and repeated items."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list or of the change feed, and where to continue.

    is_last  whether this is the last page of the list, or the last page of the feed at the moment
    """

    items: list[Item]
    reached: Any
    is_last: bool


Read = Callable[[Any], Page]
"""Reads the page after a position; the first page for None."""


class Follower:
    """Follows the change feed. It keeps its position and the notes that it read on each request."""

    def __init__(self, read: Read) -> None:
        self._read, self._at = read, None
        self.notes: dict[str, list[int]] = defaultdict(list)

    def read(self) -> bool:
        """Read one page; returns whether it was the last page of the feed."""
        page = self._read(self._at)
        for item in page.items:
            self.notes[item["service_request_id"]].append(note_of(item))
        self._at = page.reached
        return page.is_last

    @property
    def count(self) -> int:
        """How many changes it has read."""
        return sum(map(len, self.notes.values()))

    def missed(self, last: Mapping[str, int]) -> dict[str, list[int]]:
        """Requests that it has not read, or whose last note it has not read."""
        known = {name: self.notes.get(name, []) for name in last}
        return {name: notes for name, notes in known.items() if notes[-1:] != [last[name]]}

    def doubled(self) -> dict[str, list[int]]:
        """Requests that it read twice with the same note, or with notes in the wrong order."""
        return {name: notes for name, notes in self.notes.items() if notes != sorted(set(notes))}


class Pager:
    """Pages through a list repeatedly, each round from the first page.

    before  the ids that existed at the start; every round must find them
    seen    the ids that the last complete round found
    """

    def __init__(self, read: Read, before: Set[str]) -> None:
        self._read, self._before, self._at = read, before, None
        self._reading: list[str] = []
        self.rounds = self.count = 0
        self.seen: set[str] = set()
        self.missed: set[str] = set()
        self.doubled: set[str] = set()

    def read(self) -> bool:
        """Read one page; returns whether it ended a round. The next call then begins a new round."""
        page = self._read(self._at)
        self._reading += [item["service_request_id"] for item in page.items]
        self.count += len(page.items)
        self._at = None if page.is_last else page.reached
        if page.is_last:
            self._end_round()
        return page.is_last

    def _end_round(self) -> None:
        self.seen = set(self._reading)
        self.doubled |= {name for name, times in Counter(self._reading).items() if times > 1}
        self.missed |= self._before - self.seen
        self.rounds += 1
        self._reading = []


def note_of(item: Item) -> int:
    """The number in the last note that `writer` put on a request; 0 without a note."""
    text = item.get("status_notes") or ""
    return int(text.removeprefix("note ")) if text.startswith("note ") else 0
