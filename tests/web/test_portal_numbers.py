"""The page of numbers says the same as stats.json."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml.html import HtmlElement

from open311.clock import utc_now
from open311.domain.requests import Status
from open311.jobs.dispatching import dispatch_all
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from tests import build
from tests.checked_client import platform_of
from tests.pages import checked, text_of

PAGE = "/c/city.example/numbers"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """A server for one test, because a server keeps the numbers for up to a minute."""
    found = make_app()
    ensure_synced(platform_of(found))
    return found


@pytest.fixture
def counted(platform: Platform) -> Platform:
    """A city with open and closed reports of two services over some months."""
    now = utc_now()
    rows = []
    for number in range(1, 31):
        at = now - timedelta(days=9 * number)
        is_closed = number % 3 == 0
        rows.append(
            {
                "number": number,
                "at": at,
                "service_code": "potholes" if number % 2 else "graffiti",
                "status": Status.CLOSED if is_closed else Status.OPEN,
                "updated_at": at + timedelta(hours=number) if is_closed else at,
                "areas": ("Harbour",) if number % 5 == 0 else (),
            }
        )
    build.store_all(platform, rows)
    dispatch_all(platform)
    return platform


def table(document: HtmlElement, heading: str) -> list[list[str]]:
    """The rows of the table below a heading, as texts."""
    (found,) = document.xpath(f"//h2[text()='{heading}']/following-sibling::div[1]//tbody")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


def stats(client: FlaskClient, query: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/open311/v2/stats.json?{query}").json
    return found


@pytest.mark.parametrize("query", ["start_date=2020-01-01", "start_date=2020-01-01&service_code=potholes"])
def test_every_number_is_that_of_the_api(client: FlaskClient, counted: Platform, query: str) -> None:
    document = checked(client.get(f"{PAGE}?{query}"))
    [total] = stats(client, query)["rows"]
    shown = dict(zip(document.xpath("//dl/dt/text()"), document.xpath("//dl/dd/text()"), strict=False))
    assert int(shown["Reported in the period"]) == total["opened"] > 0
    assert int(shown["Of these, closed"]) == total["closed"]
    assert int(shown["Of these, open now"]) == total["open"]
    assert int(shown["Closed in the period"]) == total["closed_in_period"]
    assert f"({total['within']}/{total['within_of']})" in text_of(document)
    ages = [row[1] for row in table(document, "Age of the open reports")]
    bands = ("up_to_7_days", "up_to_30_days", "up_to_90_days", "up_to_365_days", "longer")
    assert ages == [str(total[f"open_{name}"]) for name in bands]
    by_service = {row["name"]: row for row in stats(client, f"{query}&group_by=service")["rows"]}
    for name, opened, still_open, *_ in table(document, "By kind of report"):
        assert (int(opened), int(still_open)) == (by_service[name]["opened"], by_service[name]["open"])
    months = stats(client, f"{query}&group_by=month")["rows"]
    assert [row[1] for row in table(document, "By month")] == [str(row["opened"]) for row in months]


def test_hours_are_told_in_words_of_the_language(client: FlaskClient, counted: Platform) -> None:
    [total] = stats(client, "start_date=2020-01-01")["rows"]
    assert total["median_hours"] == 15
    assert "Half were closed within 15 hours" in text_of(checked(client.get(f"{PAGE}?start_date=2020-01-01")))
    spanish = text_of(checked(client.get(f"{PAGE}?start_date=2020-01-01&locale=es")))
    assert "15 horas" in spanish


def test_without_dates_the_page_is_about_twelve_months(client: FlaskClient, counted: Platform) -> None:
    document = checked(client.get(PAGE))
    (link,) = document.xpath("//h2[text()='By month']/following-sibling::p[1]/a/@href")
    assert "start_date=" in link
    assert "group_by=month" in link
    lines = client.get(link).text.strip().splitlines()
    assert len(lines) - 1 == len(table(document, "By month")) <= 12


def test_every_table_as_data_has_the_filters_of_the_page(client: FlaskClient, counted: Platform) -> None:
    document = checked(client.get(f"{PAGE}?area=Harbour&start_date=2020-01-01&end_date=&locale=es"))
    links = [link for link in document.xpath("//main//a/@href") if "stats.csv" in link]
    assert len(links) == 3
    for link in links:
        assert "area=Harbour" in link
        assert client.get(link).status_code == 200


def test_a_city_without_reports_has_a_page_too(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city())
    dispatch_all(platform_of(app))
    assert "Reported in the period 0" in text_of(checked(app.test_client().get("/c/test.example/numbers")))


@pytest.mark.parametrize(("query", "field"), [("start_date=soon", "start_date"), ("bbox=1", "")])
def test_a_filter_that_cannot_be_read_is_told(client: FlaskClient, query: str, field: str) -> None:
    document = checked(client.get(f"{PAGE}?{query}"), 400)
    (summary,) = document.xpath("//div[@role='alert']")
    assert summary.xpath(".//a/@href") == ([f"#{field}"] if field else [])
    assert "Please" in summary.text_content()
