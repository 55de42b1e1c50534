"""Runs as a process that writes at full speed: `python -m tests.operations.writer URL NUMBER REQUESTS [CITY]`.

The process sends requests, and each request gets several notes. Sometimes a slow transaction stays open while quick
transactions begin later and end earlier. At the end, the process prints a line for each request: its id and the
number of its last note.

CITY is the name of a plugin and one of its services. The default is the city of tests/build.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryFile
from typing import IO, Any

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

REPOSITORY = Path(__file__).parents[2]
NOTES = 2


@dataclass(slots=True)
class Process:
    """A running writer and the file for its output. A pipe would fill up and block the writer."""

    running: subprocess.Popen[str]
    output: IO[str]

    @property
    def is_writing(self) -> bool:
        return self.running.poll() is None

    def notes(self) -> dict[str, int]:
        """Wait for the end of the writer; returns the number of the last note on each request."""
        if self.running.wait() != 0:
            raise RuntimeError(f"a writer ended with {self.running.returncode}")
        self.output.seek(0)
        return {name: int(note) for name, note in (line.split() for line in self.output)}


@contextmanager
def writing(url: str, number: int, count: int, *, city: Iterable[str] = ()) -> Iterator[Process]:
    """Start a writer; kill it at the end of the block if it still runs.

    city  plugin and service; the default is the city of tests/build.py
    """
    command = [sys.executable, "-m", "tests.operations.writer", url, str(number), str(count), *city]
    with TemporaryFile("w+") as output:
        running = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, text=True)
        try:
            yield Process(running, output)
        finally:
            running.kill()
            running.wait()


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


def main() -> None:
    """Write, then print the requests and their last notes."""
    url, number, count, *named = sys.argv[1:]
    jurisdiction, fields = _city(*named)
    platform = build.platform(Settings(database_url=url, pool_size=2), jurisdiction)
    ensure_synced(platform)
    key = build.api_key(platform, label=f"writer {number}")
    writer = Writer(platform, jurisdiction, key, Random(int(number)), fields)
    for name, last in writer.write(int(count)).items():
        sys.stdout.write(f"{name} {last}\n")
    platform.close()


def _city(plugin: str = "", service_code: str = "") -> tuple[Jurisdiction, dict[str, str]]:
    """The city to write to, and the fields that its requests need."""
    if not plugin:
        return build.city(), {}
    [jurisdiction] = load_registry((plugin,))
    return jurisdiction, {"service_code": service_code}


if __name__ == "__main__":
    main()
