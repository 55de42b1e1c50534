"""After any sequence of operations, the history, the row and the publication of a request agree."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

import pytest

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.events import Erasable, replay
from open311.domain.requests import Priority, RequestRecord, Status, Visibility
from open311.domain.workflow import Outcome, state_of
from open311.errors import Conflict, Invalid
from open311.formats.reading import open_source
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publication_of, without_hidden
from open311.operations.upkeep.recompute_areas import recompute_areas
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from open311.plugins import Jurisdiction
from open311.storage import counts, requests
from open311.storage.history import load_events, load_notes
from open311.storage.outbox import unprocessed
from schemas.values import format_instant
from tests import build

PHONE = "+1 617 555 0143"

DEPARTMENTS = ("streets", "desk")


class Town:
    """A city with random operations on requests."""

    def __init__(self, platform: Platform, seed: int) -> None:
        self.platform, self.random = platform, Random(seed)
        self.jurisdiction: Jurisdiction = next(iter(platform.registry))
        self.departments = [department.code for department in self.jurisdiction.departments]
        self.now = build.NOON
        self.imported: dict[str, datetime] = {}

    def run(self, steps: int) -> None:
        """Run `steps` random operations, each an hour after the one before."""
        for _ in range(steps):
            self.now += timedelta(hours=1)
            operations = [self.report, self.import_row, self.recompute, self.erase, self.update, *[self.act] * 4]
            self.random.choice(operations)()

    def report(self) -> None:
        """Submit a request."""
        build.submit(self.platform, now=self.now, description=f"No. {self.random.random()}")

    def update(self) -> None:
        """Write a note about a random request, and let others see it or not."""
        records = [record for record in self.records() if record.service_request_id]
        if not records:
            return
        chance = self.random.random
        build.change(
            self.platform,
            self.random.choice(records).service_request_id,
            note=f"Note {chance():.3f}" if chance() < 0.5 else "",
            visibility=self.random.choice(list(Visibility)) if chance() < 0.5 else None,
            now=self.now,
            city=self.jurisdiction,
        )

    def act(self) -> None:
        """Give a random command to a random request. Illegal commands must be refused and change nothing."""
        records = [record for record in self.records() if record.service_request_id]
        if not records:
            return
        chosen, other = (self.random.choice(records).service_request_id for _ in range(2))
        order = self.random.choice(
            [
                commands.Transfer(department=self.random.choice(self.departments)),
                commands.Prioritise(priority=self.random.choice(list(Priority)), reason="Said so."),
                commands.Acknowledge(),
                commands.Start(),
                commands.Schedule(visit=self.now + timedelta(days=1)),
                commands.Reschedule(expected=self.now + timedelta(days=9), reason="Rain."),
                commands.Hold(reason="Rain."),
                commands.Close(outcome=self.random.choice(list(Outcome))),
                commands.Reopen(reason="Again."),
                commands.Note(text=f"Note {self.now}", public=self.random.random() < 0.5),
                commands.AskReporter(text="Where?"),
                commands.Merge(into=other),
                commands.Unmerge(),
                commands.ChangeService(
                    service_code=self.random.choice([service.code for service in self.jurisdiction.services])
                ),
                commands.Hide(reason="A name."),
                commands.Show(),
                commands.Unmask(text="+1 617 555 0143", reason="A sign."),
                commands.Mask(text="+1 617 555 0143"),
                commands.Correct(
                    description=f"+1 617 555 0143 {self.now}", lat=60.16, long=24.95, reason="Wrong place."
                ),
            ]
        )
        with suppress(Conflict, Invalid):
            act(self.platform, self.jurisdiction, chosen, [order], principal=SHELL, now=self.now)

    def import_row(self) -> None:
        """Import a request, or the later state of an imported request."""
        name = f"F{self.random.randrange(5)}"
        requested = self.imported.setdefault(name, self.now)
        status = self.random.choice(["open", "closed"])
        row = {
            "service_request_id": name,
            "service_code": "potholes",
            "status": status,
            "status_notes": self.random.choice(["", "Seen.", "Done."]),
            "agency_responsible": self.random.choice(["", "Works", "Parks"]),
            "requested_datetime": format_instant(requested),
            "updated_datetime": self.random.choice(["", format_instant(self.now)]),
            "closed_datetime": self.random.choice(["", format_instant(requested)]) if status == "closed" else "",
            "expected_datetime": self.random.choice(["", format_instant(self.now + timedelta(days=2))]),
            "description": self.random.choice(["", "Deep", "Deeper"]),
            "lat": self.random.choice(["60.17", "60.1585"]),
            "long": self.random.choice(["24.94", "24.96"]),
        }
        order = Import(jurisdiction=self.jurisdiction, origin="file", now=self.now)
        with Processes(self.platform, 1) as processes:
            list(processes.import_source(open_source(io.BytesIO(json.dumps([row]).encode())), order))

    def recompute(self) -> None:
        """Find the areas of all requests again, on an unchanged map."""
        recompute_areas(self.platform, self.jurisdiction, now=self.now)

    def erase(self) -> None:
        """Erase random parts of a random request."""
        records = [record for record in self.records() if record.service_request_id]
        if records:
            chosen = self.random.choice(records).service_request_id
            parts = self.random.sample(list(Erasable), self.random.randint(1, 3))
            erase_from_request(self.platform, self.jurisdiction, chosen, parts, now=self.now)

    def records(self) -> list[RequestRecord]:
        """The records of all requests."""
        with self.platform.database.transaction() as connection:
            return requests.load_batch(connection, self.jurisdiction.id, after=0, rows=1_000)


@pytest.mark.parametrize("seed", range(6))
def test_history_row_and_publication_agree(platform: Platform, seed: int) -> None:
    town = Town(platform, seed)
    town.run(60)
    records = town.records()
    assert len(records) > 3
    with platform.database.transaction() as connection:
        names = names_for(connection, town.jurisdiction)
        digests = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, digest FROM publication")}
        for record in records:
            history = load_events(connection, record.jurisdiction_id, record.number)
            assert replay(record, history) == record, [event.kind for event in history]
            assert state_of(record).status == record.status
            assert bool(record.outcome) <= (record.status is Status.CLOSED)
            assert max(event.version for event in history) == record.version
            notes = load_notes(connection, record.jurisdiction_id, [record.number]).get(record.number, [])
            hidden = requests.hidden_among(connection, record.jurisdiction_id, [record.possible_duplicate_of])
            public, said = without_hidden(record, notes, names, hidden)
            shown = publication_of(public, names, said).rendition
            assert digests[record.number] == (shown.digest if shown else 0)
    with platform.database.transaction() as connection:
        assert counts.deltas(unprocessed(connection, counts.CONSUMER)) == counts.true_counts(connection)


def test_an_update_from_an_older_version_is_refused_with_the_current_version(platform: Platform) -> None:
    receipt = build.submit(platform)

    def update(version: int, note: str) -> RequestRecord:
        return build.change(platform, receipt.service_request_id, note=note, version=version)

    assert update(1, "First.").version == 2
    with pytest.raises(Conflict, match="is at version 2 now, not 1"):
        update(1, "Second.")
    assert update(2, "Second.").status_notes == "Second."


def test_a_record_that_was_loaded_before_a_change_cannot_overwrite_the_change(platform: Platform) -> None:
    receipt = build.submit(platform)
    stale = build.load(platform, service_request_id=receipt.service_request_id)
    city = next(iter(platform.registry))
    build.change(platform, receipt.service_request_id, note="New.", now=build.NOON, city=city)
    with pytest.raises(Conflict), platform.database.transaction() as connection:
        requests.save_records(connection, [stale])
    assert build.load(platform, service_request_id=receipt.service_request_id).status_notes == "New."
