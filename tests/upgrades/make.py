"""Make a dump of today's schema and record the server's answers: `python -m tests.upgrades.make`.

Everything is made by the server's own operations, at instants in March 2026. Tokens are random, so they differ
in each dump. The folder is named after the schema's revision.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from open311.app import create_app
from open311.domain.requests import Receipt, Reporter, Status, Submission, Visibility
from open311.embedded import Cluster, find_binaries, install_binaries
from open311.formats.reading import open_source
from open311.operations.access.api_keys import add_key, require_key, revoke_key
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.intake.resolve_token import resolve_token
from open311.operations.intake.submit_request import submit_request
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import mark_changes
from open311.operations.upkeep.examples import add_examples
from open311.operations.upkeep.recompute_areas import recompute_areas
from open311.operations.upkeep.republish import republish
from open311.operations.upkeep.sync_catalogues import sync_catalogues
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage.engine import open_database
from open311.storage.migrations import head, migrate
from open311.storage.queue import Task
from open311.storage.tables import metadata
from tests import build
from tests.upgrades.answers import recorded
from tests.upgrades.cities import HAMLET, OLDTOWN, OLDTOWN_BEFORE

HOME = Path(__file__).parents[2] / "var" / "pg-upgrades"
DATABASE = "upgrades"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYS: dict[str, dict[str, Any]] = {
    "app": {"secret": "oldtown-app-made-up", "label": "FixIt app", "contact": "dev@fixit.example.org"},
    "test": {"secret": "oldtown-test-made-up", "label": "FixIt, trying out", "is_test": True},
    "hamlet": {"secret": "hamlet-made-up", "label": "Hamlet's own", "jurisdiction_id": HAMLET.id},
    "gone": {"secret": "revoked-made-up", "label": "Lost key"},
}
MAYA = Reporter(
    email="maya@example.org", first_name="Maya", last_name="Example", phone="+1 555 0100", account_id="maya-7"
)

WALL = Submission(
    service_code="graffiti",
    address_string="5 Mill Lane",
    media_urls=("https://pictures.example.org/wall.jpg", "https://pictures.example.org/wall-2.jpg"),
    attributes=(("SURFACE", ("brick",)), ("TAGS", ("a", "b")), ("NOTE", ("Ring at number 7.",))),
    reporter=replace(MAYA, first_name="Ada", email="ada@example.org", account_id="ada-1"),
    client_request_id="fixit-1",
)
TREE = Submission(service_code="trees", lat="60.1718", long="24.9414", reporter=MAYA)
TREES = {
    "accepted": replace(TREE, description="A branch hangs low.", client_request_id="tree-1"),
    "pending": replace(TREE, description="Ask for a survey.", client_request_id="tree-2"),
    "rejected": replace(TREE, description="In a private garden.", client_request_id="tree-3"),
    "waiting": replace(TREE, description="Nobody has looked yet.", client_request_id="tree-4"),
}
"""Descriptions of batch requests by outcome. The back office chooses the outcome by the description."""


class Story:
    """Makes the events of a database, hour by hour."""

    def __init__(self, platform: Platform, at: datetime) -> None:
        self.platform = platform
        self.now = at
        self.cities: dict[str, Jurisdiction] = {city.id: city for city in platform.registry}

    def wait(self, hours: float = 1) -> datetime:
        """Let time pass."""
        self.now += HOUR * hours
        return self.now

    def submit(self, sent: Submission, *, key: str = "app", city: str = OLDTOWN.id) -> Receipt:
        """Submit a request, as a citizen does."""
        caller = require_key(self.platform, KEYS[key]["secret"])
        return submit_request(
            self.platform, sent, jurisdiction=self.cities[city], principal=caller, now=self.wait()
        )

    def report(self, service_code: str, *, key: str = "app", **fields: Any) -> Receipt:
        """Submit a request for a place in Oldtown."""
        return self.submit(
            Submission(service_code=service_code, **{"lat": "60.1718", "long": "24.9414"} | fields), key=key
        )

    def update(self, receipt: Receipt, **changes: Any) -> None:
        """Update a request, as staff do."""
        city = self.cities[OLDTOWN.id]
        build.change(self.platform, receipt.service_request_id, **changes, now=self.wait(), city=city)

    def import_rows(self, *rows: dict[str, Any]) -> None:
        """Import requests of another system, in GeoReport JSON."""
        order = Import(jurisdiction=self.cities[OLDTOWN.id], origin="archive.csv", now=self.wait())
        with Processes(self.platform, 1) as processes:
            for batch in processes.import_source(open_source(io.BytesIO(json.dumps(rows).encode())), order):
                assert not batch.refusals, batch.refusals


def first_days(story: Story) -> None:
    """Make the events while Oldtown had the service for wells and its earlier wards."""
    add_examples(story.platform, story.cities[HAMLET.id], count=3, now=story.now)
    for name, fields in KEYS.items():
        number, _ = add_key(story.platform, now=story.wait(), **fields)
        if name == "gone":
            revoke_key(story.platform, number, now=story.wait())
    story.report("wells", description="The pump is stuck.")
    story.report("potholes", lat="60.195", description="Between the old wards and the new.")
    story.import_rows(
        {
            "service_request_id": "A-1",
            "service_code": "pothole",
            "status": "closed",
            "status_notes": "Filled.",
            "description": "By the station",
            "agency_responsible": "Roads Agency",
            "requested_datetime": "2026-02-20T10:00:00Z",
            "updated_datetime": "2026-02-22T10:00:00Z",
            "address": "1 Station Road",
            "zipcode": "00100",
            "lat": "60.17",
            "long": "24.94",
        },
        {
            "service_request_id": "A-2",
            "service_code": "bridges",
            "service_name": "Bridges (2019)",
            "status": "open",
            "description": "It creaks\x07",
            "requested_datetime": "2026-02-21T10:00:00Z",
            "expected_datetime": "2026-04-01T10:00:00Z",
            "media_url": ["https://pictures.example.org/bridge.jpg", "not an address"],
        },
    )
    mark_changes(story.platform, story.wait())


def later_days(story: Story) -> dict[str, Receipt]:
    """Make the later events; returns the receipts that a client may use again."""
    recompute_areas(story.platform, story.cities[OLDTOWN.id], now=story.wait())
    hole = story.report("potholes", description="Deep & wide <careful>", reporter=MAYA)
    second_hole = story.report("potholes", lat="60.1719", description="The same hole?")
    story.report("pothole", lat="60.12", description="On the quay")
    story.report("potholes", lat="61.5", description="Far out")
    wall = story.submit(WALL)
    lamp = story.report("Lamps: dark/lit", lat="60.25", description="Dunkel 🙂 seit Tagen")
    trial = story.report("potholes", key="test", description="Only a test")
    story.report("hotline", description="Please call me", reporter=MAYA)
    story.submit(Submission(service_code="snow", lat="50.05", long="10.05"), key="hamlet", city=HAMLET.id)
    trees = {name: story.submit(tree) for name, tree in TREES.items()}
    for name in ("accepted", "pending", "rejected"):
        _resolve(story, trees[name])
    mark_changes(story.platform, story.wait())
    _work_on(story, hole, second_hole, wall, lamp)
    return {"hole": hole, "wall": wall, "trial": trial, **trees}


def _resolve(story: Story, receipt: Receipt) -> None:
    """Resolve a token, as the worker's job does."""
    (number,) = (
        job["args"]["number"]
        for job in build.jobs(story.platform, Task.RESOLVE)
        if job["args"]["token"] == receipt.token
    )
    resolve_token(story.platform, OLDTOWN.id, number, receipt.token, story.wait())


def _work_on(story: Story, hole: Receipt, second_hole: Receipt, wall: Receipt, lamp: Receipt) -> None:
    """Update some requests, as staff and by a newer import file."""
    story.update(hole, status=Status.CLOSED, note="Filled with asphalt.")
    story.update(second_hole, visibility=Visibility.PRIVATE)
    story.update(wall, department="streets", expected_at=START + 400 * HOUR)
    story.update(lamp, status=Status.CLOSED, note="A new bulb.")
    story.update(lamp, status=Status.OPEN, note="Dark again.")
    story.import_rows(
        {
            "service_request_id": "A-2",
            "service_code": "bridges",
            "service_name": "Bridges (2019)",
            "status": "closed",
            "status_notes": "Oiled.",
            "requested_datetime": "2026-02-21T10:00:00Z",
            "updated_datetime": "2026-03-01T10:00:00Z",
        }
    )


def fill(settings: Settings) -> tuple[Platform, dict[str, Receipt]]:
    """Migrate an empty database and make all events; returns the platform and the recorded answers."""
    database = open_database(settings.sqlalchemy_url)
    with database.transaction() as connection:
        migrate(connection)
    database.close()
    before = build.platform(settings, OLDTOWN_BEFORE, HAMLET)
    story = Story(before, START)
    sync_catalogues(before, story.now)
    before.process.is_synced.set()
    first_days(story)
    before.close()
    platform = build.platform(settings, OLDTOWN, HAMLET)
    story = Story(platform, story.wait(24))
    sync_catalogues(platform, story.now)
    platform.process.is_synced.set()
    republish(platform, OLDTOWN.id, story.wait())
    return platform, later_days(story)


def dump(cluster: Cluster, bin_dir: Path) -> str:
    """SQL that PostgreSQL 13 to 17 can run: our tables with their rows, and the rows of the job queue."""
    ours = [*(table.name for table in metadata.sorted_tables), "request_number", "alembic_version"]
    own = [option for name in ours for option in ("--table", f"public.{name}")]
    queue = ["--data-only", "--table", "public.procrastinate_*"]
    triggers = "ALTER TABLE public.procrastinate_jobs {} TRIGGER USER;\n"
    return "".join(
        [
            _run_pg_dump(cluster, bin_dir, own),
            triggers.format("DISABLE"),  # enabled triggers would write the events of these jobs again
            _run_pg_dump(cluster, bin_dir, queue),
            triggers.format("ENABLE"),
        ]
    )


def _run_pg_dump(cluster: Cluster, bin_dir: Path, options: list[str]) -> str:
    command = [str(bin_dir / "pg_dump"), *options, "--column-inserts", "--rows-per-insert=100"]
    command += ["--no-owner", "--no-privileges", "--no-toast-compression", cluster.dsn(DATABASE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Older servers do not have all settings, and SQL cannot contain psql's own commands.
    lines = re.sub(r"^(--|SET |\\).*\n", "", done.stdout, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", lines.lstrip())


def main() -> None:
    """Write the dump and the answers into the folder of this schema."""
    bin_dir = find_binaries() or install_binaries(print)
    with Cluster(HOME, durable=False, bin_dir=bin_dir) as cluster:
        cluster.drop_database(DATABASE)
        cluster.create_database(DATABASE)
        settings = Settings(database_url=cluster.url(DATABASE), post_rate="", log_level="error")
        platform, receipts = fill(settings)
        with closing(platform):
            answers = recorded(create_app(settings, platform), platform) | {"receipts": receipts}
        statements = dump(cluster, bin_dir)
        cluster.drop_database(DATABASE)
    folder = Path(__file__).parent / head()
    folder.mkdir()  # an existing folder is not changed
    (folder / "database.sql").write_text(statements, encoding="utf-8")
    (folder / "answers.json").write_bytes(orjson.dumps(answers, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
