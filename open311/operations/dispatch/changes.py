"""A batch of changes, as consumers get it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from open311.storage import public_facts
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange
from open311.storage.public_facts import PublicFacts


class Changes(Sequence[RecordedChange]):
    """Changes in order, and what the public sees now of the requests that they change.

    The publications are read when the first consumer asks for them, once for all consumers that get the batch or a
    part of it.
    """

    def __init__(self, changes: Iterable[RecordedChange], whole: Changes | None = None) -> None:
        self._changes = tuple(changes)
        self._whole = whole or self
        self._facts: dict[str, dict[int, PublicFacts]] = {}

    def part(self, changes: Iterable[RecordedChange]) -> Changes:
        """Some of these changes."""
        return Changes(changes, self._whole)

    def numbers(self) -> Iterator[tuple[str, list[int]]]:
        """Each city with the numbers of its changed requests, in order."""
        for city in sorted({change.jurisdiction_id for change in self}):
            yield city, sorted({change.number for change in self if change.jurisdiction_id == city})

    def facts(self, connection: Connection, jurisdiction_id: str) -> list[PublicFacts]:
        """The facts of those of a city's changed requests that are public."""
        known, whole = self._whole._facts, dict(self._whole.numbers())
        if jurisdiction_id not in known:
            read = public_facts.load_facts(connection, jurisdiction_id, whole[jurisdiction_id])
            known[jurisdiction_id] = {one.number: one for one in read}
        found, mine = known[jurisdiction_id], dict(self.numbers())[jurisdiction_id]
        return [found[number] for number in mine if number in found]

    def __len__(self) -> int:
        return len(self._changes)

    @overload
    def __getitem__(self, place: int) -> RecordedChange: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[RecordedChange]: ...

    def __getitem__(self, place: int | slice) -> RecordedChange | Sequence[RecordedChange]:
        return self._changes[place]
