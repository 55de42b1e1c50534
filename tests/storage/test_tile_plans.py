"""Tiles are read by indexes, without a scan of a table, and few rows are read: those in the tile, or the newest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from open311.domain.places import Place
from open311.domain.requests import Status
from open311.domain.search import Box, RequestSearch, Window
from open311.domain.tiles import Tile
from open311.operations.dispatch.mapping import recount
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.hot.statements import Statement
from open311.storage.hot.tiles import (
    MOST_SEARCHED,
    Way,
    cells_query,
    find_points,
    points_query,
)
from tests import build, tiles
from tests.conftest import CITY

ROWS = 4_000
CROWDED = Place(long=24.3, lat=60.1)
"""The place of every second request. The others are all over the city."""
EVERYTHING = RequestSearch(jurisdiction_id=CITY)
HALF = replace(EVERYTHING, requested=Window(build.NOON - timedelta(days=500), None))
RARE_WORD = replace(EVERYTHING, words="absent", language="simple")
_READ = re.compile(r"Index (?:Only )?Scan using \w+ on publication\S* .*?actual time=\S+ rows=(\d+) loops=(\d+)")
SCATTER = """
    UPDATE publication SET long = place.long, lat = place.lat,
        point = ST_SetSRID(ST_MakePoint(place.long, place.lat), 4326),
        requested_at = requested_at - mod(id, 1000) * interval '1 day'
    FROM (SELECT id AS number, 24.5 + mod(id, 63) / 63.0 AS long, 60 + mod(id, 61) / 183.0 AS lat FROM publication)
        AS place
    WHERE number = id AND mod(id, 2) = 0
"""


@pytest.fixture(scope="module")
def platform(make_database: Callable[[str], str]) -> Iterator[Platform]:
    """Thousands of requests in a city, in a separate database."""
    platform = build.platform(Settings(database_url=make_database("tile_plans")), build.city(id=CITY))
    ensure_synced(platform)
    build.multiply(platform, build.store(platform, place=CROWDED, department="streets"), ROWS)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(SCATTER)
    recount(platform)
    with platform.database.engine.connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.exec_driver_sql("VACUUM ANALYZE")
    yield platform
    platform.close()


def plan(platform: Platform, query: tuple[Statement, dict[str, Any]]) -> str:
    statement, values = query
    with platform.database.reading() as connection:
        return "\n".join(connection.exec_driver_sql("EXPLAIN ANALYZE " + statement.text, values).scalars())


@pytest.mark.parametrize(
    "search",
    [
        EVERYTHING,
        replace(EVERYTHING, statuses=(Status.OPEN,)),
        replace(EVERYTHING, service_codes=("potholes",)),
        replace(EVERYTHING, service_codes=("potholes", "trees")),
        replace(EVERYTHING, requested=Window(build.NOON, None)),
        replace(EVERYTHING, changed=Window(build.NOON, None)),
        replace(EVERYTHING, department="streets"),
        replace(EVERYTHING, box=Box(24.5, 60.0, 25.5, 60.5)),
        replace(EVERYTHING, box=Box(170.0, -60.0, -170.0, 60.0)),
    ],
)
def test_a_tile_reads_the_newest_requests_of_its_cells(platform: Platform, search: RequestSearch) -> None:
    for zoom in range(12, 17):
        found = plan(platform, points_query(Tile(*tiles.tile_at(24.9, 60.1, zoom)), search, Way.CELL))
        assert re.search("Index (Only )?Scan using publication_(open_)?cell_idx", found)
        assert "Seq Scan" not in found


def test_a_tile_of_a_high_zoom_reads_the_index_by_place(platform: Platform) -> None:
    for zoom in (17, 18):
        found = plan(platform, points_query(Tile(*tiles.tile_at(24.9, 60.1, zoom)), EVERYTHING, Way.PLACE))
        assert re.search("Index Scan (using|on) publication_point_idx", found)
        assert "Seq Scan" not in found


def test_a_tile_with_a_rare_service_reads_the_index_of_services(platform: Platform) -> None:
    search = replace(EVERYTHING, service_codes=("trees",))
    found = plan(platform, points_query(Tile(*tiles.tile_at(*CROWDED.point, 12)), search, Way.TIME))
    assert "publication_service_idx" in found
    assert "Seq Scan" not in found


def test_a_tile_without_filters_fetches_no_row_of_the_table(platform: Platform) -> None:
    found = plan(platform, points_query(Tile(*tiles.tile_at(*CROWDED.point, 14)), EVERYTHING, Way.CELL))
    assert set(re.findall(r"Heap Fetches: (\d+)", found)) == {"0"}
    assert "Index Scan" not in found


def test_a_tile_at_the_180th_meridian_reads_the_index_on_both_sides(platform: Platform) -> None:
    found = plan(platform, points_query(Tile(13, 0, 4000), EVERYTHING, Way.PLACE))
    assert found.count("publication_point_idx") == 2
    assert "Seq Scan" not in found


@pytest.mark.parametrize(("services", "status"), [(None, None), (["potholes"], Status.OPEN), (["a", "b"], None)])
def test_a_tile_of_cells_reads_its_cells_only(
    platform: Platform, services: list[str] | None, status: Status | None
) -> None:
    for zoom in range(12):
        found = plan(platform, cells_query(CITY, Tile(*tiles.tile_at(24.9, 60.1, zoom)), services, status))
        assert "map_cell_pkey" in found
        assert "Seq Scan on map_cell" not in found


def test_all_complete_ways_to_read_a_tile_find_the_same(platform: Platform) -> None:
    def body(tile: Tile, search: RequestSearch, way: Way) -> bytes:
        [(_, _, points, _)] = platform.database.hot.rows(*points_query(tile, search, way))
        return bytes(points)

    sizes = set()
    for zoom in range(12, 19):
        at = Tile(*tiles.tile_at(*CROWDED.point, zoom))
        scattered = Tile(*tiles.tile_at(24.9, 60.1, zoom))
        for tile in (at, replace(at, x=at.x + 1), replace(at, x=at.x - 1, y=at.y + 1), scattered):
            for search in (EVERYTHING, replace(EVERYTHING, statuses=(Status.OPEN,)), HALF):
                found = body(tile, search, Way.CELL)
                assert {body(tile, search, way) for way in Way if way is not Way.SOME} == {found}
                sizes.add(len(tiles.layer(found, "requests")) if found else 0)
    assert {0, 500} < sizes


def test_frequent_words_are_looked_for_in_the_newest_requests_of_a_tile(platform: Platform) -> None:
    hot = platform.database.hot
    with platform.database.reading() as connection:
        words = connection.exec_driver_sql("SELECT tsvector_to_array(words) FROM publication LIMIT 1").scalar_one()
    word = words[0]
    frequent = replace(EVERYTHING, words=word, language="simple")
    for tile in (Tile(*tiles.tile_at(*CROWDED.point, 12)), Tile(*tiles.tile_at(*CROWDED.point, 16))):
        query = points_query(tile, frequent, Way.SOME)
        found = plan(platform, query)
        assert "publication_words_idx" not in found
        assert "Seq Scan" not in found
        read = sum(int(rows) * int(loops) for rows, loops in re.findall(_READ, found))
        assert read <= 2 * (MOST_SEARCHED + 1)
        crowded = find_points(hot, tile, frequent)
        assert crowded.is_cut
        assert 0 < crowded.shown <= read
        absent = points_query(tile, replace(frequent, words="absent"), Way.SOME)
        [(count, has_more, _, _)] = hot.rows(*absent)
        assert (count, has_more) == (0, True)
    some = Tile(*tiles.tile_at(24.9, 60.1, 13))
    assert hot.rows(*points_query(some, frequent, Way.SOME)) == hot.rows(*points_query(some, frequent, Way.TIME))


def test_a_search_for_rare_words_in_a_tile_is_not_cut(platform: Platform) -> None:
    found = find_points(platform.database.hot, Tile(*tiles.tile_at(*CROWDED.point, 12)), RARE_WORD)
    assert (found.body, found.is_cut) == (b"", False)
