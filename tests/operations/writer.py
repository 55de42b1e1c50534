"""A process that writes at full speed: `python -m tests.operations.writer URL NUMBER REQUESTS`.

Each request is sent, then noted upon several times; now and then a slow transaction stays open while quick ones
begin later and end earlier. Its last words, one line each: a request's id and the number of its last note.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from random import Random

from open311.domain.requests import Status
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publish
from open311.operations.sync import ensure_synced
from open311.operations.update_request import Change, update_request
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage import requests
from open311.storage.keys import Key
from tests import build

NOTES = 2


def write(platform: Platform, jurisdiction: Jurisdiction, number: int, count: int) -> dict[str, int]:
    """Send `count` requests and note upon them; the number of the last note on each."""
    random, notes = Random(number), dict[str, int]()
    key = build.api_key(platform, label=f"writer {number}")
    while len(notes) < count:
        if notes and random.random() < 0.1:
            _slowly(platform, jurisdiction, key, random, notes)
        else:
            _quickly(platform, jurisdiction, key, random, notes)
    return notes


def _quickly(
    platform: Platform, jurisdiction: Jurisdiction, key: Key, random: Random, notes: dict[str, int]
) -> None:
    sent = build.submit(platform, key=key, description="note 0", lat=str(random.uniform(60, 61)))
    notes[sent.service_request_id] = 0
    for _ in range(NOTES):
        noted = random.choice(list(notes))
        notes[noted] += 1
        change = Change(note=f"note {notes[noted]}", status=random.choice(list(Status)))
        update_request(platform, jurisdiction, noted, change, now=build.NOON)


def _slowly(
    platform: Platform, jurisdiction: Jurisdiction, key: Key, random: Random, notes: dict[str, int]
) -> None:
    """A note whose transaction has the lowest id and commits last."""
    noted = random.choice(list(notes))
    others = {name: last for name, last in notes.items() if name != noted}
    with platform.database.transaction() as connection:
        record = requests.load_record(connection, jurisdiction.id, service_request_id=noted)
        assert record is not None
        notes[noted] += 1
        changed = replace(record, status_notes=f"note {notes[noted]}")
        requests.save_record(connection, changed)
        publish(connection, [changed], names_for(connection, jurisdiction))
        for _ in range(3):
            _quickly(platform, jurisdiction, key, random, others)
    notes |= others


def main() -> None:
    """Write, then say what was written."""
    url, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    jurisdiction = build.city()
    platform = build.platform(Settings(database_url=url, pool_size=2), jurisdiction)
    ensure_synced(platform)
    for name, last in write(platform, jurisdiction, number, count).items():
        sys.stdout.write(f"{name} {last}\n")
    platform.close()


if __name__ == "__main__":
    main()
