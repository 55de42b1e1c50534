"""Readers of the change feed and of lists that detect missed and repeated items."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list or of the change feed.

    position  the position of the next page
    is_last   whether this is the last page of the list, or currently the last page of the feed
    """

    items: list[Item]
    position: Any
    is_last: bool


Read = Callable[[Any], Page]
"""A function that reads the page after a position, or the first page for None."""


class Follower:
    """Follows the change feed, and keeps the numbers of the notes that it has read on each request."""

    def __init__(self, read: Read) -> None:
        self._read, self._position = read, None
        self.notes: dict[str, list[int]] = defaultdict(list)

    def read(self) -> bool:
        """Read one page; returns whether it was the last page of the feed."""
        page = self._read(self._position)
        for item in page.items:
            self.notes[item["service_request_id"]].append(note_of(item))
        self._position = page.position
        return page.is_last

    @property
    def count(self) -> int:
        """The number of changes that it has read."""
        return sum(map(len, self.notes.values()))

    def missed(self, last: Mapping[str, int]) -> dict[str, list[int]]:
        """The requests whose last note it has not read, each with the notes that it has read."""
        known = {name: self.notes.get(name, []) for name in last}
        return {name: notes for name, notes in known.items() if notes[-1:] != [last[name]]}

    def doubled(self) -> dict[str, list[int]]:
        """The requests that it read twice with the same note, or with notes in the wrong order."""
        return {name: notes for name, notes in self.notes.items() if notes != sorted(set(notes))}


class Pager:
    """Pages through a list repeatedly, each round from the first page.

    before  the ids that existed at the start; every round must find them
    seen    the ids that the last complete round found
    """

    def __init__(self, read: Read, before: Set[str]) -> None:
        self._read, self._before, self._position = read, before, None
        self._round_ids: list[str] = []
        self.rounds = self.count = 0
        self.seen: set[str] = set()
        self.missed: set[str] = set()
        self.doubled: set[str] = set()

    def read(self) -> bool:
        """Read one page; returns whether it ended a round. The next call then begins a new round."""
        page = self._read(self._position)
        self._round_ids += [item["service_request_id"] for item in page.items]
        self.count += len(page.items)
        self._position = None if page.is_last else page.position
        if page.is_last:
            self._end_round()
        return page.is_last

    def _end_round(self) -> None:
        self.seen = set(self._round_ids)
        self.doubled |= {name for name, times in Counter(self._round_ids).items() if times > 1}
        self.missed |= self._before - self.seen
        self.rounds += 1
        self._round_ids = []


def note_of(item: Item) -> int:
    """The number in the last note that `writer` put on a request; 0 without a note."""
    text = item.get("status_notes") or ""
    return int(text.removeprefix("note ")) if text.startswith("note ") else 0
