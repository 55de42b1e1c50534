"""The suite recognises server software by its typical answers, and only with evidence."""

from __future__ import annotations

import json

import pytest
import requests
from requests.adapters import BaseAdapter

from spec.conformance.client import Client, Manners
from spec.conformance.dialects import recognise
from spec.conformance.probe import Probe, Target
from spec.conformance.survey import survey_server
from tests.spec.stub_server import StubServer, session_to

HEX = "4fd3b167e750846744000005"


class _Canned(BaseAdapter):
    """Chooses the answer by the last segment of the path. A path whose last segment has no answer gets 404."""

    def __init__(self, answers: dict[str, tuple[str, bytes]], headers: dict[str, str]) -> None:
        super().__init__()
        self.answers, self.headers = answers, headers

    def send(self, request: requests.PreparedRequest, *args: object, **options: object) -> requests.Response:
        path = str(request.path_url).partition("?")[0].rpartition("/")[2]
        media_type, body = self.answers.get(path, ("text/plain", b""))
        response = requests.Response()
        response.status_code = 200 if body else 404
        response.headers.update({**self.headers, "Content-Type": media_type})
        response._content = body
        response._content_consumed = True  # type: ignore[attr-defined]  # types-requests lacks this attribute
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        pass


def _service(code: str = "1") -> dict[str, object]:
    return {"service_code": code, "service_name": "A", "metadata": False, "type": "batch"}


def _json(data: object) -> tuple[str, bytes]:
    return "application/json", json.dumps(data).encode()


CASES: dict[str, tuple[str, dict[str, tuple[str, bytes]], dict[str, str]]] = {
    "Connected Bits (Spot)": (
        "https://311api.city.example/open311/v2",
        {
            "services.json": _json([_service(HEX)]),
            "requests.json": _json([{"service_request_id": str(number), "status": "open"} for number in range(50)]),
        },
        {},
    ),
    "SeeClickFix": ("https://seeclickfix.com/open311/v2/12", {"services.json": _json([_service()])}, {}),
    "FixMyStreet": (
        "https://city.example/open311/v2",
        {
            "services.xml": ("application/xml; charset=utf-8", b"<services/>"),
            "services.json": _json({"services": [_service()]}),
        },
        {},
    ),
    "Mark-a-Spot": (
        "https://city.example/georeport/v2",
        {"services.json": _json([_service()])},
        {"X-Generator": "Drupal 11 (https://www.drupal.org)"},
    ),
    "CitySDK or Klarschiff": (
        "https://city.example/citysdk",
        {"services.xml": ("text/xml", b'<services type="array"/>')},
        {},
    ),
    "uReport": (
        "https://city.example/crm/open311/v2",
        {
            "services.json": _json([_service()]),
            "discovery.xml": (
                "text/xml",
                b"<discovery><changeset>2012-09-18T15:37-05</changeset><endpoints><endpoint/></endpoints></discovery>",
            ),
        },
        {"X-Powered-By": "PHP/8.3"},
    ),
    "open311-adapter": (
        "https://city.example/open311",
        {
            "services.xml": (
                "text/xml",
                b"<services><service><description/><group/><keywords/><metadata>true</metadata>"
                b"<service_code>1</service_code></service></services>",
            )
        },
        {},
    ),
    "open311-server (this project)": (
        "https://city.example/open311/v2",
        {"services.json": _json([_service()])},
        {"Server": "open311-server/1.0"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_software_is_recognised_by_its_answers(name: str) -> None:
    url, answers, headers = CASES[name]
    session = requests.Session()
    session.mount("https://", _Canned(answers, headers))
    dialect = recognise(survey_server(Probe(Client(Manners(rate_per_s=0), session), Target(url))))
    assert dialect.name == name
    assert dialect.evidence


def test_a_server_without_typical_answers_is_not_recognised() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer()))
    dialect = recognise(survey_server(Probe(client, Target("http://stub.example/one/v2"))))
    assert str(dialect) == "not recognised"


ARRAY = b'<services type="array"><service><description>%s</description><keywords>%s</keywords></service></services>'


@pytest.mark.parametrize(
    ("description", "keywords", "name"),
    [
        (b"", b"problem", "CitySDK or Klarschiff"),
        (b"", b"idee", "CitySDK or Klarschiff"),
        (b"Any problem with a street", b"street, hole", ""),
        (b"An idea for a park", b"park", ""),
    ],
)
def test_klarschiff_is_recognised_only_if_the_keywords_are_problem_or_idee(
    description: bytes, keywords: bytes, name: str
) -> None:
    session = requests.Session()
    session.mount("https://", _Canned({"services.xml": ("text/xml", ARRAY % (description, keywords))}, {}))
    target = Target("https://city.example/open311/v2")
    assert recognise(survey_server(Probe(Client(Manners(rate_per_s=0), session), target))).name == name
