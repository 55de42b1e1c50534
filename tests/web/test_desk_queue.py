"""The queue on a page: the filters of the staff API, counts, pages, views, and commands for several requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml.html import HtmlElement

from open311.clock import utc_now
from open311.domain.access import Role
from open311.domain.requests import Visibility
from open311.operations.platform import Platform
from tests import build
from tests.desk_pages import Person, field_of
from tests.pages import checked, text_of


@pytest.fixture
def ada(client: FlaskClient, platform: Platform) -> Person:
    """An agent of all departments."""
    return Person.of(client, platform)


def names(document: HtmlElement) -> list[str]:
    """The ids of the requests on a page of the queue."""
    return [link.text.rpartition(" ")[2] for link in document.xpath("//tr[@data-row]/th/a")]


def picks(document: HtmlElement) -> list[str]:
    return [str(one) for one in document.xpath("//input[@name='pick']/@value")]


def test_the_most_urgent_come_first_and_overdue_is_a_word(ada: Person, platform: Platform) -> None:
    now = utc_now()
    build.store(platform, service_request_id="late", expected_at=now - timedelta(days=1))
    build.store(platform, service_request_id="never")
    build.store(platform, service_request_id="far", expected_at=now + timedelta(days=30))
    document = checked(ada.get())
    assert names(document) == ["late", "far", "never"]
    assert document.xpath("//tr[@data-row][1]//span[contains(@class, 'due-overdue')]/text()") == ["Overdue"]
    assert names(checked(ada.get("?overdue=true"))) == ["late"]


def test_filters_are_those_of_the_api_and_stay_in_the_form(ada: Person, platform: Platform) -> None:
    build.store(platform, service_request_id="hole", department="streets", description="Deep hole")
    build.store(platform, service_request_id="tree", department="parks", description="Fallen tree")
    document = checked(ada.get("?department=streets&q=hole&state=&assignee=none"))
    assert names(document) == ["hole"]
    assert document.xpath("//select[@id='department']/option[@selected]/@value") == ["streets"]
    assert (field_of(document, "q"), field_of(document, "assignee")) == ("hole", "none")
    assert names(checked(ada.get("?id=tree"))) == ["tree"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=wrong", "state"),
        ("department=nowhere", "department"),
        ("older_than=x", "older_than"),
        ("assignee=moon", "assignee"),
        ("service_code=moon", "service_code"),
        ("cursor=x", ""),
        ("q=%00", "q"),
        ("state=closed,triage", "state"),
    ],
)
def test_a_faulty_filter_is_named_beside_its_field(ada: Person, query: str, field: str) -> None:
    document = checked(ada.get(f"?{query}"), 400)
    assert document.xpath("//*[@role='alert']")
    assert not field or document.get_element_by_id(f"{field}-fault") is not None


def test_an_account_sees_only_its_departments(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="hole", department="streets")
    build.store(platform, service_request_id="tree", department="parks")
    crew = Person.of(client, platform, "crew", Role.AGENT, "parks")
    document = checked(crew.get())
    assert names(document) == ["tree"]
    assert document.xpath("//select[@id='department']/option/@value") == ["", "parks"]
    checked(crew.get("?department=streets"), 400)


def test_pages_lead_to_each_other(ada: Person, platform: Platform) -> None:
    build.store_all(platform, [{"number": at, "service_request_id": f"R{at}"} for at in range(1, 56)])
    first = checked(ada.get("?overdue=false&locale=es"))
    second = checked(ada.get(str(first.xpath("//a[@rel='next']/@href")[0])))
    assert len({*names(first), *names(second)}) == 55
    assert second.get("lang") == "es"
    assert second.xpath("//a[@rel='first']")
    assert not second.xpath("//a[@rel='next']")


def test_counts_lead_to_the_requests_that_they_count(ada: Person, platform: Platform) -> None:
    build.store(platform, service_request_id="late", department="streets", expected_at=build.NOON)
    build.store(platform, service_request_id="new", department="")
    document = checked(ada.get())
    links = {link.text: link.get("href") for link in document.xpath("//ul[@class='views']//a")}
    assert names(checked(ada.get(links["Overdue: 1"]))) == ["late"]
    assert links["Open: 2"]
    row = document.xpath("//table[@class='counts']//tr[th/a='Street Works']")[0]
    assert row.xpath("./td/text()")[:2] == ["1", "1"]


def test_a_view_is_kept_shown_and_deleted(ada: Person, platform: Platform) -> None:
    build.store(platform, service_request_id="late", expected_at=build.NOON)
    answer = ada.post("views", go="save", name="Very late", overdue="true", assignee="none")
    document = checked(ada.get(answer.headers["Location"]))
    assert "The view was saved." in text_of(document)
    [address] = document.xpath("//a[text()='Very late']/@href")
    assert names(checked(ada.get(address))) == ["late"]
    ada.post("views", go="delete", name="Very late")
    assert not checked(ada.get()).xpath("//a[text()='Very late']")
    checked(ada.post("views", go="delete", name="Very late"), 404)


def test_a_view_with_a_faulty_name_or_filter_is_refused(ada: Person) -> None:
    faulty: list[dict[str, Any]] = [{"name": "a/b"}, {"name": ""}, {"name": "x", "department": "nowhere"}]
    for fields in faulty:
        checked(ada.post("views", go="save", **fields), 400)


def test_a_number_leads_to_its_request(ada: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="R/1 x").number
    for name in ("R/1 x", str(number)):
        answer = ada.get("find", query_string={"id": name})
        assert answer.headers["Location"].endswith(f"/requests/{number}")
    for name in ("nothing", "", "x" * 5_000):
        checked(ada.get("find", query_string={"id": name}), 404)


# --- Commands for several requests


def test_a_command_for_several_requests_is_tried_first_and_then_carried_out(
    ada: Person, platform: Platform
) -> None:
    for name in ("a", "b"):
        build.store(platform, service_request_id=name, department="streets")
    build.store(platform, service_request_id="c", status="closed")
    chosen = [*picks(checked(ada.get())), *picks(checked(ada.get("?state=closed")))]
    assert len(chosen) == 3
    asked = checked(ada.post("bulk", go="fields", do="transfer", pick=",".join(chosen)))
    assert asked.xpath("//select[@name='department']")
    fields: dict[str, Any] = {"do": "transfer", "pick": ",".join(chosen), "form_id": field_of(asked, "form_id")}
    empty = checked(ada.post("bulk", go="try", **fields), 400)
    assert "Please fill this in." in text_of(empty)
    tried = checked(ada.post("bulk", go="try", department="parks", **fields))
    assert "only a trial" in text_of(tried)
    assert "2 requests would change" in text_of(tried)
    assert build.load(platform, service_request_id="a").department == "streets"
    for _ in range(2):  # a form that is sent twice changes nothing more
        done = checked(ada.post("bulk", go="do", department="parks", **fields))
        assert "2 requests were changed" in text_of(done)
        assert "1 is refused" in text_of(done)
    assert build.load(platform, service_request_id="a").department == "parks"
    assert build.load(platform, service_request_id="a").version == 2


def test_a_request_that_somebody_else_has_changed_is_refused_in_bulk(ada: Person, platform: Platform) -> None:
    build.store(platform, service_request_id="a")
    [chosen] = picks(checked(ada.get()))
    build.change(platform, "a", note="Somebody was there.", now=utc_now())
    done = checked(ada.post("bulk", go="do", do="prioritise", priority="high", pick=chosen))
    assert "Somebody else has changed this request meanwhile." in text_of(done)


def test_bulk_needs_a_command_and_requests(ada: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a").number
    faulty: list[dict[str, Any]] = [
        {"do": "", "pick": f"{number}:1"},
        {"do": "hide", "pick": f"{number}:1"},  # needs another role
        {"do": "close", "pick": ""},
        {"do": "close", "pick": "x:y,-1:2"},
        {"do": "close", "pick": ",".join(f"{at}:1" for at in range(1, 502))},
    ]
    for fields in faulty:
        checked(ada.post("bulk", go="do", **fields), 400)


def test_a_reader_gets_no_commands(client: FlaskClient, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a").number
    reader = Person.of(client, platform, "rea", Role.READER)
    document = checked(reader.get())
    assert names(document) == ["a"]
    assert not document.xpath("//input[@name='pick'] | //select[@name='do']")
    checked(reader.post("bulk", go="do", do="note", text="x", pick=f"{number}:1"), 400)


def test_held_requests_and_suspected_ones_have_lists(ada: Person, platform: Platform) -> None:
    build.store(platform, service_request_id="held", visibility=Visibility.HELD)
    build.store(platform, service_request_id="open")
    assert names(checked(ada.get("?held=true"))) == ["held"]
    assert "held for a review" in text_of(checked(ada.get()))
    assert names(checked(ada.get("?suspected=true"))) == []
