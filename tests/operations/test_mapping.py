"""The cells of the map have the numbers of public requests, whatever happens to the requests."""

from __future__ import annotations

import io
import json
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.events import Erasable
from open311.domain.places import Place
from open311.domain.requests import Status, Visibility
from open311.domain.workflow import Outcome
from open311.errors import Open311Error
from open311.formats.reading import known_maps, open_source
from open311.jobs.dispatching import dispatch_all
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.dispatch.mapping import recount
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from open311.storage import map_cells, outbox
from open311.storage.queue import Task
from tests import build, tiles
from tests.working import work

migration = import_module("open311.storage.migrations.versions.0019_map_cells")

LATER = build.NOON + timedelta(hours=1)
ZOOMS = (5, 7, 9, 11, 13, 15)
Cells = dict[tuple[str, int, int, str], int]
"""Requests by service, column, row and status, in the smallest cells."""


def stored(platform: Platform, zoom: int = 15) -> Cells:
    found: Cells = {}
    with platform.database.reading() as connection:
        for service, x, y, opened, closed in connection.exec_driver_sql(
            "SELECT service_code, x, y, opened, closed FROM map_cell WHERE zoom = %s", (zoom,)
        ):
            found |= {(service, x, y, "open"): opened, (service, x, y, "closed"): closed}
    return {key: number for key, number in found.items() if number}


def listed(client: FlaskClient, zoom: int = 15) -> Cells:
    """The numbers by the public list."""
    found: Counter[tuple[str, int, int, str]] = Counter()
    answer = client.get("/open311/v2/requests.json?updated_after=1970-01-01T00:00:00Z&page_size=1000")
    for item in answer.json:
        if item["lat"] is not None:
            _, x, y = tiles.tile_at(item["long"], item["lat"], zoom)
            for service in ("", item["service_code"]):
                found[service, x, y, item["status"]] += 1
    return found


class History:
    """Random things that happen to the requests of the demo city."""

    def __init__(self, platform: Platform, seed: int) -> None:
        self._platform = platform
        self._random = Random(seed)
        self._names: list[str] = []
        (self._city,) = platform.registry

    def happen(self) -> None:
        """One thing happens. It may be refused, as it would be in a city."""
        kinds = [self._report, self._report, self._import, self._erase, self._show, *[self._command] * 4]
        with suppress(Open311Error):
            (self._random.choice(kinds) if self._names else self._report)()

    def _place(self) -> tuple[float, float]:
        return 24.94 + self._random.uniform(-0.02, 0.02), 60.17 + self._random.uniform(-0.01, 0.01)

    def _name(self) -> str:
        return self._random.choice(self._names)

    def _report(self) -> None:
        long, lat = self._place()
        service = self._random.choice(["potholes", "graffiti"])
        receipt = build.submit(self._platform, service_code=service, long=str(long), lat=str(lat))
        self._names.append(receipt.service_request_id)

    def _import(self) -> None:
        """A file brings a request, or it moves, closes or opens the request that it brought before."""
        long, lat = self._place()
        number = self._random.randint(1, 5)
        minutes = self._random.randint(1, 50)
        row: dict[str, Any] = {
            "service_request_id": f"F{number}",
            "service_code": self._random.choice(["potholes", "graffiti"]),
            "status": self._random.choice(["open", "closed"]),
            "requested_datetime": "2026-03-01T10:00:00Z",
            "updated_datetime": f"2026-03-02T10:{minutes:02}:00Z",
            "lat": lat,
            "long": long,
        }
        source = open_source(io.BytesIO(json.dumps([row]).encode()), known_maps(self._city.column_maps))
        order = Import(jurisdiction=self._city, origin="file.json", now=LATER)
        with Processes(self._platform, 1) as alone:
            list(alone.import_source(source, order))
        self._names.append(f"F{number}")

    def _erase(self) -> None:
        parts = self._random.sample(list(Erasable), 2)
        erase_from_request(self._platform, self._city, self._name(), parts, now=LATER, actor="shell")

    def _show(self) -> None:
        seen = self._random.choice([*Visibility, *[Visibility.PUBLIC] * 6])
        build.change(self._platform, self._name(), visibility=seen, now=LATER)

    def _command(self) -> None:
        long, lat = self._place()
        orders: list[Command] = [
            commands.Close(outcome=Outcome.FIXED),
            commands.Reopen(reason="It is back."),
            commands.Correct(lat=lat, long=long, reason="It is there."),
            commands.ChangeService(service_code=self._random.choice(["potholes", "graffiti"])),
            commands.Merge(into=self._name()),
            commands.Merge(into=self._name()),
            commands.Unmerge(),
            commands.Unmerge(),
            commands.Hide(reason="Insults."),
            commands.Show(),
            commands.Note(text="Seen.", public=True),
        ]
        chosen = self._random.sample(orders, self._random.randint(1, 2))
        act(self._platform, self._city, self._name(), chosen, principal=SHELL, now=LATER)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_the_cells_equal_a_count_of_the_public_list(
    client: FlaskClient, platform: Platform, seed: int
) -> None:
    history, random = History(platform, seed), Random(seed)
    for _ in range(8):
        for _ in range(20):
            history.happen()
            if random.random() < 0.2:
                dispatch(platform, build.NOON, rows=random.randint(1, 5))
        dispatch_all(platform)
        for zoom in ZOOMS:
            assert stored(platform, zoom) == listed(client, zoom)
    assert recount(platform) == 0
    assert len(stored(platform)) > 10
    with platform.database.reading() as connection:
        happened = set(connection.exec_driver_sql("SELECT kind FROM request_event").scalars())
    wanted = {
        "received",
        "imported",
        "visibility",
        "status",
        "corrected",
        "service",
        "merged",
        "unmerged",
        "erased",
    }
    assert happened >= wanted, "the history must have all that can change a number"


def wrong(platform: Platform, *statements: str) -> None:
    with platform.database.transaction() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE map_cell SET opened = opened + 7 WHERE zoom = 15"],
        ["DELETE FROM map_cell"],
        ["DELETE FROM mapped_request"],
        ["UPDATE mapped_request SET is_open = false, x = x + 40"],
        ["DELETE FROM mapped_request", "DELETE FROM map_cell"],
    ],
)
def test_a_recount_corrects_wrong_numbers(client: FlaskClient, platform: Platform, statements: list[str]) -> None:
    build.submit(platform)
    dispatch_all(platform)
    wrong(platform, *statements)
    assert recount(platform) > 0
    assert stored(platform) == listed(client)
    assert recount(platform) == 0


@pytest.mark.uncounted
def test_a_recount_leaves_waiting_and_held_changes_to_the_dispatcher(platform: Platform) -> None:
    build.submit(platform)
    assert recount(platform) == 0
    assert stored(platform) == {}
    with platform.database.transaction() as connection:
        outbox.hold(connection, map_cells.CONSUMER, outbox.take(connection, 1), build.NOON)
    assert recount(platform) == 0
    dispatch_all(platform)
    assert sum(stored(platform).values()) == 2, "once for its service, and once for all services"


@pytest.mark.uncounted
def test_changes_that_no_dispatcher_has_handed_over_are_recounted(client: FlaskClient, platform: Platform) -> None:
    """As after an upgrade during which the dispatcher of the previous release was at work."""
    sent = build.submit(platform).service_request_id
    dispatch_all(platform)
    build.change(platform, sent, status=Status.CLOSED)
    build.submit(platform)
    wrong(platform, "DELETE FROM outbox")
    assert recount(platform) == 2
    assert stored(platform) == listed(client)


def test_the_migration_counts_the_public_requests_that_are_there(client: FlaskClient, platform: Platform) -> None:
    places = [(24.94, 60.17), (180.0, 0.0), (-180.0, 0.0), (0.0, 90.0), (0.0, -90.0)]
    for number, (long, lat) in enumerate(places):
        build.store(platform, place=Place(long=long, lat=lat), status="open" if number % 2 else "closed")
    build.store(platform, visibility=Visibility.PRIVATE)
    build.store(platform, place=Place(address="5 Mill Lane"))
    dispatch_all(platform)
    expected = [stored(platform, zoom) for zoom in ZOOMS]
    wrong(platform, "DELETE FROM map_cell", "DELETE FROM mapped_request", migration.BACKFILL)
    assert [stored(platform, zoom) for zoom in ZOOMS] == expected
    assert recount(platform) == 0


@pytest.mark.uncounted
def test_the_daily_job_counts_what_was_missed(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform)
    wrong(platform, "DELETE FROM outbox")
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.RECOUNT_MAP, timestamp=0)
    work(platform)
    assert stored(platform) == listed(client) != {}
