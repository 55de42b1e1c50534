"""The checked client: what it lets pass, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from flask import Flask, Response

from tests.checked_client import CheckedClient

TOKEN = "1a2b"
URL = f"/open311/v2/tokens/{TOKEN}.json"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
WAITING = ("", "")
CREATED = ('"service_request_id": "7",', "<service_request_id>7</service_request_id>")


def reader(answers: Iterator[tuple[str, str]]) -> CheckedClient:
    """A client of an app whose token is in the next state of `answers` at each call."""
    app = Flask("tokens")

    @app.get("/open311/v2/tokens/<name>")
    def read(name: str) -> Response:
        in_json, in_xml = next(answers)
        if name.endswith(".json"):
            return Response(f'[{{{in_json} "token": "{TOKEN}"}}]', mimetype="application/json")
        body = (
            f"{DECLARATION}<service_requests><request>{in_xml}<token>{TOKEN}</token></request></service_requests>"
        )
        return Response(body, mimetype="text/xml")

    return CheckedClient(app, use_cookies=False)


def test_a_change_between_the_two_formats_passes() -> None:
    assert "service_request_id" not in reader(chain([WAITING], repeat(CREATED))).get(URL).json[0]


def test_a_lasting_difference_between_the_formats_fails() -> None:
    answers = ((in_json, "") for in_json, _ in repeat(CREATED))
    with pytest.raises(AssertionError, match="differs in xml"):
        reader(answers).get(URL)
