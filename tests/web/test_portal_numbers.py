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
    (found,) = document.xpath(f"//*[@role='region'][@aria-label='{heading}']//tbody")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


def as_of(document: HtmlElement) -> str:
    """The time of the numbers of a page, as stats.json writes it."""
    (found,) = document.xpath("//main/p/time/@datetime")
    return str(found).replace("+00:00", "Z")


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
    has_targets = any(row["target"] or row["on_time_of"] for row in by_service.values())
    for name, _, on_time in table(document, "Targets") if has_targets else ():
        assert (
            on_time.endswith(f"({by_service[name]['on_time']}/{by_service[name]['on_time_of']})") or on_time == "–"
        )
    by_area = {row["name"] or "": row for row in stats(client, f"{query}&group_by=area")["rows"]}
    for name, opened, still_open, _, timed in table(document, "By area"):
        row = by_area["" if name.startswith("outside") else name]
        assert (int(opened), int(still_open), int(timed)) == (row["opened"], row["open"], row["timed"])


@pytest.mark.parametrize("span", ["month", "week"])
def test_every_span_of_time_is_that_of_the_api_and_empty_ones_are_zero(
    client: FlaskClient, counted: Platform, span: str
) -> None:
    query = f"start_date=2020-01-01&group_by={span}"
    document = checked(client.get(f"{PAGE}?{query}"))
    rows = stats(client, query)["rows"]
    shown = [(row[1], row[2]) for row in table(document, "Reports over time")]
    assert shown[0] == (str(rows[0]["opened"]), str(rows[0]["closed_in_period"]))
    told = [one for one in shown if one != ("0", "0")]
    assert told == [(str(row["opened"]), str(row["closed_in_period"])) for row in rows]
    chart = document.xpath("//svg[contains(@class, 'trend')]")[0]
    assert chart.xpath("./title/text()") == ["Reported and closed reports over time"]
    assert "Most reports:" in chart.xpath("./desc/text()")[0]
    assert len(chart.xpath(".//g[@class='opened']/line")) == len(shown) - 1
    assert len(document.xpath("//details[@open]//td")) == 0 if span == "week" else True


def test_a_page_with_new_numbers_has_a_later_time_and_no_page_is_newer_than_the_api(
    client: FlaskClient, counted: Platform
) -> None:
    """A page is kept for a minute, so its time may be older than that of a new answer of the API."""
    before = checked(client.get(PAGE))
    build.store(counted, number=900, service_code="potholes")
    dispatch_all(counted)
    after = checked(client.get(PAGE))
    assert (as_of(after), text_of(after)) == (as_of(before), text_of(before)) or as_of(after) > as_of(before)
    fresh = checked(client.get(f"{PAGE}?within_days=7"))  # a question of its own
    answer = stats(client, "group_by=service")
    assert as_of(fresh) <= answer["as_of"]


def test_a_kept_page_is_given_only_to_readers_of_its_language_and_filters(
    client: FlaskClient, counted: Platform
) -> None:
    """Each call is made twice, so that the second call may get the kept page."""

    def shown(query: str = "", language: str = "en") -> tuple[str, ...]:
        document = checked(client.get(f"{PAGE}?{query}", headers={"Accept-Language": language}))
        links = document.xpath("//a/@href")
        return (document.get("lang"), *sorted(links), text_of(document))

    pages = [("", "en"), ("", "es"), ("locale=es", "en"), ("service_code=potholes", "en")]
    first = [shown(*one) for one in pages]
    assert len(set(first)) == 4
    assert [shown(*one)[:-1] for one in pages] == [one[:-1] for one in first]
    for _ in range(2):
        assert client.get(f"{PAGE}?start_date=x").status_code == 400


def test_the_tables_of_a_page_have_the_sum_that_the_page_names(client: FlaskClient, counted: Platform) -> None:
    document = checked(client.get(f"{PAGE}?start_date=2020-01-01"))
    whole = int(
        dict(zip(document.xpath("//dl/dt/text()"), document.xpath("//dl/dd/text()"), strict=False))[
            "Reported in the period"
        ]
    )
    for heading in ("By kind of report", "Reports over time"):
        assert sum(int(row[1]) for row in table(document, heading)) == whole


def test_a_part_of_a_month_is_named_as_a_part(client: FlaskClient, counted: Platform) -> None:
    rows = table(checked(client.get(PAGE)), "Reports over time")
    assert rows[-1][0].endswith("(in part)")
    assert not rows[-2][0].endswith("(in part)")


def test_hours_are_written_in_words_of_the_language(client: FlaskClient, counted: Platform) -> None:
    [total] = stats(client, "start_date=2020-01-01")["rows"]
    assert total["median_hours"] == 15
    assert "Half were closed within 15 hours" in text_of(checked(client.get(f"{PAGE}?start_date=2020-01-01")))
    spanish = text_of(checked(client.get(f"{PAGE}?start_date=2020-01-01&locale=es")))
    assert "15 horas" in spanish


def test_without_dates_the_page_is_about_twelve_months(client: FlaskClient, counted: Platform) -> None:
    document = checked(client.get(PAGE))
    (link,) = [one for one in document.xpath("//main//a/@href") if "group_by=month" in one]
    assert "start_date=" in link
    lines = client.get(link).text.strip().splitlines()
    assert len(lines) - 1 <= len(table(document, "Reports over time")) <= 12


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


@pytest.mark.parametrize("query", ["end_date=0001-01-01", "end_date=9999-12-31", "start_date=9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_date_that_can_be_written_are_read(client: FlaskClient, query: str) -> None:
    for span in ("month", "week"):
        assert client.get(f"{PAGE}?{query}&group_by={span}").status_code == 200


@pytest.mark.parametrize(
    ("query", "field"), [("start_date=soon", "start_date"), ("group_by=year", "group_by"), ("bbox=1", "")]
)
def test_a_filter_that_cannot_be_read_is_reported(client: FlaskClient, query: str, field: str) -> None:
    document = checked(client.get(f"{PAGE}?{query}"), 400)
    (summary,) = document.xpath("//div[@role='alert']")
    assert summary.xpath(".//a/@href") == ([f"#{field}"] if field else [])
    assert "Please" in summary.text_content()


def test_the_form_keeps_the_filters_that_it_has_no_field_for(client: FlaskClient, counted: Platform) -> None:
    document = checked(client.get(f"{PAGE}?status=open&q=hole&service_code=potholes"))
    kept = {one.get("name"): one.get("value") for one in document.xpath("//form/input[@type='hidden']")}
    assert kept == {"status": "open", "q": "hole"}
    (chosen,) = document.xpath("//summary[contains(text(), 'Filters')]")
    assert chosen.text_content() == "Filters: Pothole"
    assert not document.xpath("//form/details[@open]")


def test_a_long_period_shows_the_newest_spans_and_says_so(client: FlaskClient, counted: Platform) -> None:
    build.store(counted, number=901, at=utc_now() - timedelta(days=3_000))
    dispatch_all(counted)
    document = checked(client.get(f"{PAGE}?start_date=2010-01-01"))
    assert len(table(document, "Reports over time")) == 60
    assert "Older rows are not shown here." in text_of(document)
