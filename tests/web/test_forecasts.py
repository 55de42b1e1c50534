"""stats/forecast: the stored forecasts in three formats, with reasons and a caveat."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.domain.services import Service
from open311.observe import configure_logs, logger
from open311.operations.platform import Platform
from open311.web import errors
from tests import build
from tests.checked_client import platform_of
from tests.web.conftest import Foresee

PATH = "/open311/v2/stats/forecast"
SERVICES = (
    Service(code="potholes", name="=Pothole"),  # a spreadsheet must not run it
    Service(code="trees", name="Tree"),
)


@pytest.fixture
def app(make_app: Any) -> Flask:
    city = build.city(services=SERVICES, aliases={"p": "potholes"})
    app: Flask = make_app(city)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def platform(app: Flask) -> Platform:
    return platform_of(app)


@pytest.fixture
def made(platform: Platform, foresee: Foresee) -> None:
    foresee(platform)


def found(client: FlaskClient, query: str = "", **headers: str) -> dict[str, Any]:
    answer = client.get(f"{PATH}.json{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.get_json()
    return document


def cells(document: dict[str, Any]) -> set[tuple[str | None, str | None]]:
    return {(row["service_code"], row["area"]) for row in document["rows"]}


@pytest.mark.requirement("H1")
@pytest.mark.usefixtures("made")
def test_all_three_formats_have_the_same_numbers(client: FlaskClient) -> None:
    document = found(client)
    expected = [
        (
            row["service_code"] or "",
            row["area"] or "",
            one["first_day"],
            one["expected_requests"],
            one["reason"] or "",
        )
        for row in document["rows"]
        for one in row["forecasts"]
    ]
    assert len(expected) == 7 * 5
    table = client.get(f"{PATH}.csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [
        (
            line["service_code"],
            line["area"],
            line["first_day"],
            int(line["expected_requests"]) if line["expected_requests"] else None,
            line["reason"],
        )
        for line in lines
    ] == expected
    assert {line["as_of"] for line in lines} == {document["as_of"]} == {"2026-03-20T12:00:00Z"}
    assert {line["caveat"] for line in lines} == {document["caveat"]}
    xml = etree.fromstring(client.get(f"{PATH}.xml").data)
    assert [
        (
            row.findtext("service_code") or "",
            row.findtext("area") or "",
            one.findtext("first_day"),
            int(number) if (number := one.findtext("expected_requests")) else None,
            one.findtext("reason") or "",
        )
        for row in xml.iterfind("rows/row")
        for one in row.iterfind("forecasts/forecast")
    ] == expected


@pytest.mark.usefixtures("made")
def test_no_cell_of_the_table_is_a_formula(client: FlaskClient) -> None:
    assert "'=Pothole" in client.get(f"{PATH}.csv?service_code=potholes").text
    assert client.get(f"{PATH}.csv?bom=true").data.startswith(b"\xef\xbb\xbf")


@pytest.mark.requirement("H2")
@pytest.mark.usefixtures("made")
def test_filters_choose_the_rows(client: FlaskClient) -> None:
    all_rows = {(None, None), ("potholes", None), ("trees", None), (None, "Harbour"), (None, "Hill")}
    assert cells(found(client)) == all_rows
    assert cells(found(client, "?service_code=p")) == {("potholes", area) for area in (None, "Harbour", "Hill")}
    assert cells(found(client, "?area=Hill")) == {(code, "Hill") for code in (None, "potholes", "trees")}
    assert cells(found(client, "?area=Hill&service_code=trees,moon")) == {("trees", "Hill")}
    assert cells(found(client, "?service_code=moon")) == set()
    assert cells(found(client, "?area=&service_code=")) == all_rows


@pytest.mark.requirement("H4")
@pytest.mark.usefixtures("made")
def test_a_forecast_has_numbers_or_a_reason(client: FlaskClient) -> None:
    all_forecasts = [one for row in found(client)["rows"] for one in row["forecasts"]]
    assert {one["reason"] for one in all_forecasts} > {None}
    for one in all_forecasts:
        numbers = [one["low"], one["expected_requests"], one["high"]]
        if one["reason"] is None:
            assert numbers == sorted(numbers)
            assert one["error"] < min(one["last_year_error"], one["newest_error"])
            assert 0.7 <= one["coverage"] <= 0.9
        else:
            assert numbers == [None, None, None]


@pytest.mark.requirement("H10")
@pytest.mark.usefixtures("made")
def test_the_caveat_is_in_the_callers_language(client: FlaskClient) -> None:
    english, spanish = client.get(f"{PATH}.json"), client.get(f"{PATH}.json?locale=es")
    assert english.headers["Content-Language"] == "en"
    assert spanish.headers["Content-Language"] == "es"
    assert "not about problems" in english.get_json()["caveat"]
    assert "problemas" in spanish.get_json()["caveat"]
    assert english.headers["ETag"] != spanish.headers["ETag"]
    assert english.headers["Cache-Control"] == "public, max-age=300"
    again = client.get(f"{PATH}.json", headers={"If-None-Match": english.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.requirement("H10")
def test_without_forecasts_the_answer_says_when_they_come(client: FlaskClient) -> None:
    for suffix in ("json", "xml", "csv"):
        answer = client.get(f"{PATH}.{suffix}")
        assert answer.status_code == 503
        assert "once a day" in answer.text
        assert answer.headers["Retry-After"] == "3600"  # an hour, as the text says


def test_missing_forecasts_are_logged_as_information_and_not_as_an_error(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info")
    monkeypatch.setattr(errors, "log", logger("errors"))  # the logger of earlier tests keeps their level
    client.get(f"{PATH}.json")
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["event"], one["level"]) for one in logged if one.get("path") == f"{PATH}.json"] == [
        ("not yet", "info"),
        ("call", "info"),
    ]


@pytest.mark.parametrize("query", ["?area=%00", "?service_code=a%00b"])
@pytest.mark.usefixtures("made")
def test_hostile_values_get_400_that_names_the_parameter(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{PATH}.json{query}")
    assert answer.status_code == 400
    assert query[1:].split("=")[0] in answer.text


@pytest.mark.usefixtures("made")
def test_long_and_strange_values_find_nothing(client: FlaskClient) -> None:
    for query in ("?area=" + 2_000 * "x", "?service_code=" + ",".join(map(str, range(800))), "?area=%25' OR 1=1"):
        assert found(client, query)["rows"] == []


def test_an_unknown_service_can_be_404(make_app: Any) -> None:
    client = make_app(build.city(services=SERVICES), unknown_service_is_404=True).test_client()
    assert client.get(f"{PATH}.json?service_code=moon").status_code == 404
    assert client.post(f"{PATH}.json").status_code == 405
