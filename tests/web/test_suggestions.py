"""Suggestions of services for what a citizen writes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.clock import utc_now
from open311.domain.access import Principal, Role
from open311.domain.emergencies import Emergency
from open311.domain.requests import Receipt
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.operations.suggesting.counting import choices, count_choice
from tests import build
from tests.pages import checked
from tests.web.test_portal_report import Browser

PATH = "/open311/v2/services/suggest"


def codes(client: FlaskClient, **query: str) -> list[str]:
    answer = client.get(f"{PATH}.json", query_string={"jurisdiction_id": "city.example"} | query)
    assert answer.status_code == 200, answer.text
    return [service["service_code"] for service in answer.get_json()["services"]]


@pytest.mark.parametrize(
    ("sentence", "best"),
    [
        ("a huge crater in the road blew my tire", "potholes"),
        ("POTHOLLE!!", "potholes"),
        ("hay un hueco enorme en la calle", "potholes"),
        ("somebody spraypainted the wall", "graffiti"),
        ("bulb burnt out, pitch black", "Street:Lights & Poles"),
        ("路灯不亮", "Street:Lights & Poles"),
        ("the bin is overflowing again", "001"),
    ],
)
def test_the_best_service_comes_first(client: FlaskClient, sentence: str, best: str) -> None:
    found = codes(client, q=sentence)
    assert found[0] == best
    assert len(found) <= 3


@pytest.mark.parametrize("sentence", ["qwertz", "!?", "🙂", "hello how are you", "1 2 3"])
def test_nothing_is_suggested_for_words_that_mean_no_service(client: FlaskClient, sentence: str) -> None:
    assert codes(client, q=sentence) == []


def test_the_first_service_is_as_in_the_list_and_xml_has_it_too(client: FlaskClient) -> None:
    query = {"jurisdiction_id": "city.example", "q": "pothole", "locale": "es"}
    in_json = client.get(f"{PATH}.json", query_string=query)
    in_xml = client.get(f"{PATH}.xml", query_string=query)
    listed = client.get("/open311/v2/services.json", query_string=query).get_json()
    [first, *_] = in_json.get_json()["services"]
    assert first in listed
    assert (first["service_name"], in_json.headers["Content-Language"]) == ("Bache", "es")
    root = etree.fromstring(in_xml.data)
    assert root.tag == "suggestions"
    assert root.findtext("services/service/service_code") == "potholes"
    assert in_json.headers["Cache-Control"] == "no-store"


def test_an_emergency_has_its_notice_in_the_callers_language(make_app: Callable[..., Flask]) -> None:
    city = build.city(emergency=Emergency(number="112", words=("smell of gas",)))
    client = make_app(city).test_client()
    answer = client.get(f"{PATH}.json", query_string={"q": "a smell of gas from the hole", "locale": "es"})
    found = answer.get_json()
    assert list(found) == ["emergency_number", "emergency_notice", "services"]
    assert found["emergency_number"] == "112"
    assert "llame al 112" in found["emergency_notice"]
    assert answer.headers["Content-Language"] == "es, en"
    calm = client.get(f"{PATH}.json", query_string={"q": "hole"}).get_json()
    assert (calm["emergency_number"], calm["emergency_notice"]) == ("", "")


def test_an_inactive_service_is_not_suggested(make_app: Callable[..., Flask]) -> None:
    old = replace(build.HOLE, code="old", active=False)
    city = build.city(services=(old,))
    client = make_app(city).test_client()
    assert client.get(f"{PATH}.json", query_string={"q": "pothole"}).get_json()["services"] == []


@pytest.mark.parametrize("suffix", ["json", "xml"])
@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=%00"])
def test_a_call_without_a_sentence_gets_400_that_names_q(client: FlaskClient, suffix: str, query: str) -> None:
    answer = client.get(f"{PATH}.{suffix}?jurisdiction_id=city.example&{query}")
    assert answer.status_code == 400
    assert "q" in answer.text


def test_a_long_sentence_is_cut_with_a_warning(client: FlaskClient) -> None:
    answer = client.get(f"{PATH}.json?jurisdiction_id=city.example&q={'hole+' * 1_000}")
    assert answer.status_code == 200
    assert "q" in answer.headers["Warning"]


def test_without_a_suffix_the_path_means_a_service_with_the_code_suggest(client: FlaskClient) -> None:
    assert client.get(f"{PATH}?jurisdiction_id=city.example&q=hole").status_code == 404


def test_suggestions_need_no_database(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(), database_url="postgresql://nobody@127.0.0.1:9/none").test_client()
    assert client.get(f"{PATH}.json?q=pothole").status_code == 200


# --- What is chosen


def counted(platform: Platform) -> dict[tuple[str, int], tuple[int, int]]:
    """How often each service was suggested and chosen, by its code and rank."""
    city = platform.registry.find("city.example")
    return {(one.service_code, one.rank): (one.suggested, one.chosen) for one in choices(platform, city)}


def test_a_post_counts_which_suggestion_is_chosen(post: Callable[..., Any], platform: Platform) -> None:
    place = {"jurisdiction_id": "city.example", "lat": 60.1718, "long": 24.9414}
    for _ in range(2):
        assert post(service_code="potholes", suggestion="v1.2,potholes", **place).status_code == 200
    assert post(service_code="v1.2", suggestion="v1.2", **place).status_code == 200
    assert post(service_code="potholes", **place).status_code == 200
    assert counted(platform) == {("v1.2", 1): (3, 1), ("potholes", 2): (2, 2)}


def test_a_repeated_post_and_a_post_with_a_test_key_are_not_counted(
    post: Callable[..., Any], platform: Platform, client: FlaskClient
) -> None:
    fields = {"jurisdiction_id": "city.example", "lat": 60.1718, "long": 24.9414, "service_code": "potholes"}
    for _ in range(3):
        assert post(suggestion="potholes", client_request_id="once", **fields).status_code == 200
    test_key = add_key(platform, label="test", now=utc_now(), is_test=True)[1]
    data = fields | {"api_key": test_key, "suggestion": "potholes"}
    assert client.post("/open311/v2/requests.json", data=data).status_code == 200
    assert counted(platform) == {("potholes", 1): (1, 1)}


def test_codes_that_the_city_does_not_suggest_are_named_and_not_counted(
    post: Callable[..., Any], platform: Platform
) -> None:
    fields = {"jurisdiction_id": "city.example", "lat": 60.1718, "long": 24.9414, "service_code": "potholes"}
    answer = post(suggestion="nothing,potholes,inspection", **fields)
    assert answer.status_code == 200
    warnings = " ".join(answer.headers.getlist("Warning"))
    assert "suggestion: nothing is not counted" in warnings
    assert "inspection" in warnings
    assert counted(platform) == {("potholes", 2): (1, 1)}
    refused = post(suggestion="a,b,c,d", **fields)
    assert refused.status_code == 400
    assert "suggestion: holds 4 codes; 3 are allowed." in refused.text


def test_a_refused_post_is_not_counted(post: Callable[..., Any], platform: Platform) -> None:
    assert post(service_code="potholes", suggestion="potholes", jurisdiction_id="city.example").status_code == 400
    assert counted(platform) == {}


def test_choices_that_are_counted_at_the_same_time_are_all_counted(
    post: Callable[..., Any], platform: Platform
) -> None:
    city = platform.registry.find("city.example")
    receipt, key = Receipt(service_code="potholes", is_new=True), Principal(kind="key", role=Role.APP)
    orders = [("potholes", "graffiti", "trees"), ("trees", "graffiti", "potholes")] * 20
    with ThreadPoolExecutor(4) as threads:
        assert not any(threads.map(lambda codes: count_choice(platform, city, codes, receipt, key), orders))
    assert counted(platform)["potholes", 1] == (20, 20)
    assert counted(platform)["graffiti", 2] == (40, 0)


# --- On the pages


def test_the_first_page_shows_at_most_three_services_and_then_the_whole_list(client: FlaskClient) -> None:
    document = checked(client.get("/c/city.example/?q=a hole in the road"))
    suggested = document.xpath("//main/ul[@class='services']//a/@href")
    assert 1 <= len(suggested) <= 3
    assert suggested[0].startswith("/c/city.example/report?service_code=potholes&suggestion=potholes")
    others = document.xpath("//section/ul[@class='services']//a/@href[contains(., 'service_code=')]")
    assert len(others) > 3
    assert all("suggestion=potholes" in link for link in others)
    assert not [link for link in checked(client.get("/c/city.example/")).xpath("//a/@href") if "suggestion" in link]


def test_words_of_an_emergency_get_its_notice_first(client: FlaskClient, platform: Platform) -> None:
    city = platform.registry.find("city.example")
    document = checked(client.get("/c/city.example/", query_string={"q": f"{city.emergency.words[0]} in a hole"}))
    [alarm] = document.xpath("//*[@id='emergency']")
    assert city.emergency.number in alarm.text_content()
    assert document.xpath("//main/*[@id='emergency']/following-sibling::ul[@class='services']")


@pytest.mark.parametrize(("code", "chosen"), [("potholes", 1), ("v1.2", 0)])
def test_a_report_by_the_form_counts_the_suggestion_that_was_chosen(
    client: FlaskClient, platform: Platform, code: str, chosen: int
) -> None:
    browser = Browser(client).open(code, suggestion="potholes")
    browser.press("next", description="Deep").press("next", lat="60.1718", long="24.9414").press("send")
    assert "Your report is sent" in browser.text
    assert counted(platform) == {("potholes", 1): (1, chosen)}


def test_the_last_step_offers_services_that_fit_the_words_better(client: FlaskClient, platform: Platform) -> None:
    browser = Browser(client).open("v1.2")
    browser.press("next", description="a huge pothole, deep crater").press("next", lat="60.1718", long="24.9414")
    assert browser.document is not None
    link = browser.document.xpath("//*[@id='better']//a/@href")[0]
    assert "service_code=potholes" in link
    assert "crater" not in link
    other = Browser(client)._show(client.get(link))
    assert other.value("service_code") == "potholes"
    assert "deep crater" in other.text
    other.press("next").press("next").press("send")
    assert counted(platform)["potholes", 1] == (1, 1)


def test_the_last_step_offers_nothing_if_the_chosen_service_fits(client: FlaskClient) -> None:
    for description in ("a deep hole", "", "qwertz"):
        browser = Browser(client).open("potholes")
        browser.press("next", description=description).press("next", lat="60.1718", long="24.9414")
        assert browser.document is not None
        assert not browser.document.xpath("//*[@id='better']")
