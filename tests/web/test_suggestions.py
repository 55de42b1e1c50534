"""Suggestions of services for what a citizen writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.domain.emergencies import Emergency
from tests import build

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


def test_both_formats_have_the_same_services_as_the_list(client: FlaskClient) -> None:
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


def test_a_service_is_not_suggested_where_or_while_it_is_not_offered(make_app: Callable[..., Flask]) -> None:
    old = replace(build.HOLE, code="old", active=False)
    city = build.city(services=(old,))
    client = make_app(city).test_client()
    assert client.get(f"{PATH}.json", query_string={"q": "pothole"}).get_json()["services"] == []


@pytest.mark.parametrize("suffix", ["json", "xml"])
@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=%00"])
def test_a_call_without_a_sentence_is_told_so(client: FlaskClient, suffix: str, query: str) -> None:
    answer = client.get(f"{PATH}.{suffix}?jurisdiction_id=city.example&{query}")
    assert answer.status_code == 400
    assert "q" in answer.text


def test_a_long_sentence_is_cut_with_a_warning(client: FlaskClient) -> None:
    answer = client.get(f"{PATH}.json?jurisdiction_id=city.example&q={'hole+' * 1_000}")
    assert answer.status_code == 200
    assert "q" in answer.headers["Warning"]


def test_without_a_suffix_the_path_means_the_service_with_this_code(client: FlaskClient) -> None:
    assert client.get(f"{PATH}?jurisdiction_id=city.example&q=hole").status_code == 404


def test_suggestions_need_no_database(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(), database_url="postgresql://nobody@127.0.0.1:9/none").test_client()
    assert client.get(f"{PATH}.json?q=pothole").status_code == 200
