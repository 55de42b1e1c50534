"""Search texts that PostgreSQL's parser of search texts cannot take."""

from __future__ import annotations

import random

import pytest
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.text import search_words
from open311.operations.platform import Platform
from tests import build
from tests.desk import Desk

LIST = "/open311/v2/requests"
HOSTILE = {
    "dashes": "-" * 40,
    "dashes apart": "- " * 80,
    "dashes between signs": "-(" * 90,
    "dashes before quotes": '-"' * 90,
    "dashes before stop words": "-the " * 40,
    "a-a-a": "a-" * 100,
    "operators": "!<->&|:*" * 25,
    "or or or": "or " * 66,
    "quotes": '"' * 199,
    "backslashes": "\\" * 200,
    "one word that grows when accents are removed": "\u337f" * 200,
    "letters that grow when accents are removed": "\ufdfa" * 200,
}


@pytest.fixture
def desk(client: FlaskClient, platform: Platform) -> Desk:
    """An agent."""
    return Desk.of(client, platform)


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_a_search_for_words_that_find_nothing_is_an_empty_list(
    client: FlaskClient, platform: Platform, desk: Desk, words: str
) -> None:
    build.store(platform, description="a the or é", at=utc_now())
    assert len(client.get(f"{LIST}.json").json) == 1
    assert client.get(f"{LIST}.json", query_string={"q": words}).json == []
    for suffix in ("json", "xml", "csv", "atom", "geojson", "ndjson"):
        assert client.get(f"{LIST}.{suffix}", query_string={"q": words}).status_code == 200, suffix
    with client.get("/open311/bulk/v1/requests.csv", query_string={"q": words}) as bulk:
        assert bulk.status_code == 200
    assert desk.get("/requests", query_string={"q": words}).json["requests"] == []
    order = {"command": "start", "filters": {"q": words}}
    assert desk.post("/bulk", order).json["results"] == []


def test_a_search_for_any_signs_gives_no_server_error(client: FlaskClient, desk: Desk) -> None:
    chance = random.Random(311)
    for _ in range(200):
        pieces = [
            "-",
            '"',
            " ",
            "or ",
            "a",
            "!",
            "(",
            ")",
            "<->",
            "&",
            "|",
            ":*",
            "\\",
            "'",
            "é",
            "the ",
            '-"',
            ".",
        ]
        weights = [chance.random() ** 3 for _ in pieces]
        words = "".join(chance.choices(pieces, weights, k=chance.randrange(200)))
        assert client.get(f"{LIST}.json", query_string={"q": words}).status_code == 200, words
        assert desk.get("/requests", query_string={"q": words}).status_code == 200, words


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("broken lamp", "broken lamp"),
        ("lamp -street", "lamp -street"),
        ('"broken lamp" -"main street"', '"broken lamp" -"main street"'),
        ("--5 Mill-Lane -", "-5 mill-lane"),
        ("Café", "cafe"),
    ],
)
def test_a_dash_excludes_only_directly_before_a_word_or_a_quote(sent: str, kept: str) -> None:
    assert search_words(sent).split() == kept.split()


def test_a_dash_before_a_word_still_excludes_the_word(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform, description="broken lamp")
    kept = build.submit(platform, description="broken bench").service_request_id
    query = {"q": "broken --lamp", "start_date": "2026-01-01T00:00:00Z", "end_date": "2026-03-30T00:00:00Z"}
    found = client.get(f"{LIST}.json", query_string=query)
    assert [one["service_request_id"] for one in found.json] == [kept]
