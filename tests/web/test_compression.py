"""gzip on the way: the same bytes underneath, a validator for each coding (A66)."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

GZIP = {"Accept-Encoding": "gzip, br"}
SERVICES = "/open311/v2/services.{}"


@pytest.mark.parametrize("format", ["json", "xml"])
def test_a_client_that_takes_gzip_gets_the_same_body_compressed(app: Flask, format: str) -> None:
    # Flask's own client: the checked one reads bodies as they come.
    client = FlaskClient(app)
    plain = client.get(SERVICES.format(format))
    packed = client.get(SERVICES.format(format), headers=GZIP)
    assert plain.headers.get("Content-Encoding") is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data)
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    assert gzip.decompress(packed.data) == plain.data
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_each_coding_has_a_validator_of_its_own(app: Flask) -> None:
    client = FlaskClient(app)
    plain = client.get(SERVICES.format("json")).headers["ETag"]
    packed = client.get(SERVICES.format("json"), headers=GZIP).headers["ETag"]
    assert plain != packed
    assert client.get(SERVICES.format("json"), headers={"If-None-Match": plain}).status_code == 304
    assert client.get(SERVICES.format("json"), headers={"If-None-Match": packed}).status_code == 200
    again = client.get(SERVICES.format("json"), headers={**GZIP, "If-None-Match": packed})
    assert again.status_code == 304
    assert again.data == b""


@pytest.mark.parametrize("accepts", ["identity", "gzip;q=0", "br", ""])
def test_nobody_gets_gzip_who_did_not_ask(app: Flask, accepts: str) -> None:
    answer = FlaskClient(app).get(SERVICES.format("json"), headers={"Accept-Encoding": accepts})
    assert answer.headers.get("Content-Encoding") is None


def test_small_answers_and_a_server_that_leaves_it_to_its_proxy_are_not_compressed(
    make_app: Callable[..., Flask],
) -> None:
    small = FlaskClient(make_app()).get("/open311/v2/requests.json", headers=GZIP)
    assert small.headers.get("Content-Encoding") is None
    switched_off = FlaskClient(make_app(compress=False)).get(SERVICES.format("json"), headers=GZIP)
    assert switched_off.headers.get("Content-Encoding") is None
