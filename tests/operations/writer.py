"""A process that writes at full speed.

The process sends requests, and each request gets several notes. Sometimes a slow transaction stays open while quick
transactions begin later and end earlier. At the end, the process tells the id of each request and the number of its
last note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from open311.domain.access import Principal
from open311.domain.events import NoteAdded
from open311.domain.requests import Status
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.apply import change_requests
from open311.plugins import Jurisdiction
from open311.plugins.registry import load_registry
from open311.settings import Settings
from open311.storage import requests
from tests import build
from tests.forking import CONTEXT, Process, forked

NOTES = 2


@dataclass(slots=True)
class Writing:
    """A running writer and the end of the pipe that it writes its only message to."""

    process: Process
    output: Connection

    @property
    def is_writing(self) -> bool:
        return not self.output.poll()

    def notes(self) -> dict[str, int]:
        """Wait for the end of the writer; returns the number of the last note on each request."""
        found: dict[str, int] = self.output.recv()  # EOFError if the writer failed
        return found


@contextmanager
def writing(url: str, number: int, count: int, *, city: Iterable[str] = ()) -> Iterator[Writing]:
    """Start a writer; kill it at the end of the block if it still runs.

    city  the name of a plugin and one of its services; the default is the city of tests/build.py
    """
    output, end = CONTEXT.Pipe(duplex=False)
    with output, forked(write, end, url, number, count, *city) as process:
        end.close()
        yield Writing(process, output)


@dataclass(slots=True)
class Writer:
    """One writer. `fields` are sent with each request, in addition to a description and a place."""

    platform: Platform
    jurisdiction: Jurisdiction
    key: Principal
    random: Random
    fields: Mapping[str, Any]

    def write(self, count: int) -> dict[str, int]:
        """Send `count` requests and put notes on them; returns the number of the last note on each."""
        notes = dict[str, int]()
        while len(notes) < count:
            if notes and self.random.random() < 0.1:
                self._write_slowly(notes)
            else:
                self._write_quickly(notes)
        return notes

    def _write_quickly(self, notes: dict[str, int]) -> None:
        lat = str(self.random.uniform(60, 61))
        sent = build.submit(self.platform, key=self.key, description="note 0", lat=lat, **self.fields)
        notes[sent.service_request_id] = 0
        for _ in range(NOTES):
            request_id = self.random.choice(list(notes))
            notes[request_id] += 1
            status = self.random.choice(list(Status))
            build.change(self.platform, request_id, note=f"note {notes[request_id]}", status=status)

    def _write_slowly(self, notes: dict[str, int]) -> None:
        """Write a note in a transaction that has the lowest id and commits last."""
        request_id = self.random.choice(list(notes))
        others = {name: last for name, last in notes.items() if name != request_id}
        with self.platform.database.transaction() as connection:
            record = requests.load_record(connection, self.jurisdiction.id, service_request_id=request_id)
            assert record is not None
            notes[request_id] += 1
            note = NoteAdded(at=build.NOON, note=f"note {notes[request_id]}")
            change_requests(connection, [(record, [note])], names_for(connection, self.jurisdiction))
            for _ in range(3):
                self._write_quickly(others)
        notes |= others


def write(output: Connection, url: str, number: int, count: int, *named: str) -> None:
    """Write, then send the requests and their last notes."""
    jurisdiction, fields = _city(*named)
    platform = build.platform(Settings(database_url=url, pool_size=2), jurisdiction)
    ensure_synced(platform)
    key = build.api_key(platform, label=f"writer {number}")
    output.send(Writer(platform, jurisdiction, key, Random(number), fields).write(count))
    platform.close()


def _city(plugin: str = "", service_code: str = "") -> tuple[Jurisdiction, dict[str, str]]:
    """The city to write to, and the fields that its requests need."""
    if not plugin:
        return build.city(), {}
    [jurisdiction] = load_registry((plugin,))
    return jurisdiction, {"service_code": service_code}
