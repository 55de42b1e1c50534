"""Readers that know what they missed and what came to them twice, wherever their pages come from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list, or of the change feed, and where to go on.

    is_last  whether the list ends here, or the feed has nothing beyond
    """

    items: list[Item]
    reached: Any
    is_last: bool


Read = Callable[[Any], Page]
"""Reads what comes after a place, or the beginning after None."""


class Follower:
    """Follows the change feed and keeps nothing but its place and what it saw: the notes on each request."""

    def __init__(self, read: Read) -> None:
        self._read, self._at = read, None
        self.notes: dict[str, list[int]] = defaultdict(list)

    def read(self) -> bool:
        """One page; whether the feed was at its end."""
        page = self._read(self._at)
        for item in page.items:
            self.notes[item["service_request_id"]].append(note_of(item))
        self._at = page.reached
        return page.is_last

    @property
    def count(self) -> int:
        """How many changes it was told of."""
        return sum(map(len, self.notes.values()))

    def missed(self, last: Mapping[str, int]) -> dict[str, list[int]]:
        """Requests whose last note it does not know, or that it does not know at all."""
        known = {name: self.notes.get(name, []) for name in last}
        return {name: notes for name, notes in known.items() if notes[-1:] != [last[name]]}

    def doubled(self) -> dict[str, list[int]]:
        """Requests that it saw twice as they were, or older after newer."""
        return {name: notes for name, notes in self.notes.items() if notes != sorted(set(notes))}


class Pager:
    """Pages through a list again and again, each time from the front.

    before  the ids that were there from the beginning, which no round may lack
    seen    what the last whole round found
    """

    def __init__(self, read: Read, before: Set[str]) -> None:
        self._read, self._before, self._at = read, before, None
        self._reading: list[str] = []
        self.rounds = self.count = 0
        self.seen: set[str] = set()
        self.missed: set[str] = set()
        self.doubled: set[str] = set()

    def read(self) -> bool:
        """One page, and whether it ends a round; after it a new one begins."""
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
    """The number of the last note on a request that `writer` sent; 0 for one without."""
    text = item.get("status_notes") or ""
    return int(text.removeprefix("note ")) if text.startswith("note ") else 0
