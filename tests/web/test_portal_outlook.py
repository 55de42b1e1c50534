"""The page about what to expect says the same as stats/forecast.json; pages of reports say how long they take."""

from __future__ import annotations

from datetime import UTC, datetime, time
from random import Random
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml.html import HtmlElement

from open311.domain.services import Service
from open311.operations.platform import Platform
from open311.operations.statistics.forecasting import make_forecasts
from open311.operations.upkeep.sync_catalogues import ensure_synced
from tests import build
from tests.checked_client import platform_of
from tests.forecasting.towns import TODAY, counted, fill, history
from tests.pages import checked, text_of
from tests.web.conftest import Foresee

PAGE = "/c/test.example/outlook"
NOW = datetime.combine(TODAY, time(12), UTC)
SERVICES = (
    Service(code="potholes", name="Pothole"),
    Service(code="trees", name="Tree"),
    Service(code="x", name="X"),
)


@pytest.fixture
def app(make_app: Any) -> Flask:
    app: Flask = make_app(build.city(services=SERVICES))
    ensure_synced(platform_of(app))
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def platform(app: Flask) -> Platform:
    return platform_of(app)


def table(document: HtmlElement, heading: str) -> list[list[str]]:
    (found,) = document.xpath(f"//*[@role='region'][@aria-label='{heading}']//tbody")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


def forecasts(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get(f"/open311/v2/stats/forecast.json{query}").get_json()["rows"]
    return rows


@pytest.mark.parametrize("query", ["", "?service_code=trees", "?area=Hill", "?area=Hill&service_code=trees"])
def test_the_months_and_the_median_are_those_of_the_api(
    client: FlaskClient, platform: Platform, foresee: Foresee, query: str
) -> None:
    foresee(platform, level=150)
    code = "trees" if "trees" in query else None
    area = "Hill" if "Hill" in query else None
    head = next(row for row in forecasts(client, query) if (row["service_code"], row["area"]) == (code, area))
    document = checked(client.get(PAGE + query))
    months = [one for one in head["forecasts"] if one["period"] == "month" and one["reason"] is None]
    assert len(months) > 1
    shown = table(document, "Reports in the next months")
    assert [[cell.replace(",", "") for cell in row[1:4]] for row in shown] == [
        [str(one[name]) for name in ("expected_requests", "low", "high")] for one in months
    ]
    assert "not about problems" in text_of(document)
    assert document.xpath("//dt[text()='Half closed within']/following-sibling::dd[1]")[0].text == (
        f"{head['median_days']} days"
    )
    chart = document.xpath("//svg[contains(@class, 'trend')]")[0]
    assert len(chart.xpath(".//g[@class='expected']/circle")) == len(months)


def test_rows_are_in_the_order_of_names(client: FlaskClient, platform: Platform, foresee: Foresee) -> None:
    foresee(platform)
    document = checked(client.get(PAGE))
    assert [row[0] for row in table(document, "By area")] == ["Harbour", "Hill"]
    assert [row[0] for row in table(document, "By kind of report")] == ["Pothole", "Tree"]
    assert "None at the moment." in text_of(document)
    inside = checked(client.get(f"{PAGE}?area=Hill"))
    assert [row[0] for row in table(inside, "By kind of report")] == ["Pothole", "Tree"]
    assert not inside.xpath("//*[@aria-label='By area']")


def test_the_page_says_why_a_number_is_not_published(
    client: FlaskClient, platform: Platform, foresee: Foresee
) -> None:
    foresee(platform, level=1)
    document = checked(client.get(PAGE))
    assert "There are too few reports for a forecast." in text_of(document)
    assert not document.xpath("//svg")


def test_a_page_without_forecasts_says_when_they_come(client: FlaskClient) -> None:
    assert "made once a day" in text_of(checked(client.get(PAGE)))


@pytest.mark.parametrize("query", ["?service_code=moon", "?area=moon", "?area=%3Cb%3E&service_code=x", "?area="])
def test_strange_filters_find_nothing_and_break_nothing(
    client: FlaskClient, platform: Platform, foresee: Foresee, query: str
) -> None:
    foresee(platform, level=3)
    document = checked(client.get(PAGE + query))
    assert ("too few of these reports" in text_of(document)) == (query != "?area=")


@pytest.mark.parametrize("language", ["es", "fr", "zh-Hans", "ht", "ar"])
def test_the_page_is_in_each_language(
    client: FlaskClient, platform: Platform, foresee: Foresee, language: str
) -> None:
    foresee(platform)
    document = checked(client.get(f"{PAGE}?locale={language}"))
    assert document.get("lang") == language
    assert not document.xpath("//main//span[@lang='en']")


def test_an_open_report_says_within_how_many_days_such_reports_are_closed(
    client: FlaskClient, platform: Platform, foresee: Foresee
) -> None:
    foresee(platform)
    near, between = (build.store(platform, areas=areas) for areas in (("Hill",), ("Hill", "Harbour")))
    for report, area in ((near, "Hill"), (between, None)):
        row = next(row for row in forecasts(client, "?service_code=potholes") if row["area"] == area)
        words = text_of(checked(client.get(f"/c/test.example/requests/{report.service_request_id}")))
        assert (
            f"Usually closed within {row['p80_days']} days (half of them within {row['median_days']} days" in words
        )
        assert f"from {row['closed']:,} closed reports" in words
    build.change(platform, near.service_request_id, status="closed", note="Filled.")
    assert "Usually closed" not in text_of(
        checked(client.get(f"/c/test.example/requests/{near.service_request_id}"))
    )
    form = text_of(checked(client.get("/c/test.example/report?service_code=potholes")))
    assert "Usually closed within" in form
    assert "Usually closed" not in text_of(checked(client.get("/c/test.example/report?service_code=x")))


def test_a_report_has_no_usual_days_if_few_were_closed(
    client: FlaskClient, platform: Platform, foresee: Foresee
) -> None:
    foresee(platform, level=1)
    one = build.store(platform, areas=("Hill",))
    words = text_of(checked(client.get(f"/c/test.example/requests/{one.service_request_id}")))
    assert "Usually closed" not in words


def test_a_hot_spot_is_named_with_its_own_past(client: FlaskClient, platform: Platform) -> None:
    more = [counted(Random(1), 10**6 + number, TODAY.replace(day=15), "trees", "Hill") for number in range(150)]
    fill(platform, [*history(), *more])
    (city,) = platform.registry
    make_forecasts(platform, city, NOW)
    words = text_of(checked(client.get(PAGE)))
    row = next(row for row in forecasts(client) if row["area"] == "Hill")
    assert f"Hill: {row['recent_count']} reports; {row['recent_expected']} were to be expected" in words
