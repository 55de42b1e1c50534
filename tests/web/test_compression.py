"""A compressed answer has the same body after decompression, and each content coding has its validator (A66)."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.web.codings import zstd

GZIP = {"Accept-Encoding": "gzip, br"}
ZSTD = {"Accept-Encoding": "gzip, deflate, br, zstd"}  # the header that browsers send
CODINGS = {"gzip": (GZIP, gzip.decompress), "zstd": (ZSTD, zstd.decompress)}
SERVICES = "/open311/v2/services.{}"


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_client_gets_the_same_body_in_a_coding_that_it_accepts(app: Flask, format: str, coding: str) -> None:
    # Use Flask's own client, because the checked client does not decompress bodies.
    client, (headers, unpack) = FlaskClient(app), CODINGS[coding]
    plain = client.get(SERVICES.format(format))
    packed = client.get(SERVICES.format(format), headers=headers)
    assert plain.headers.get("Content-Encoding") is None
    assert packed.headers["Content-Encoding"] == coding
    assert len(packed.data) < len(plain.data)
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    assert unpack(packed.data) == plain.data
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_each_coding_has_its_own_validator(app: Flask) -> None:
    client = FlaskClient(app)
    kinds: tuple[dict[str, str], ...] = ({}, GZIP, ZSTD)
    tags = [client.get(SERVICES.format("json"), headers=headers).headers["ETag"] for headers in kinds]
    assert len(set(tags)) == 3
    for headers in kinds:
        for tag in tags:
            again = client.get(SERVICES.format("json"), headers={**headers, "If-None-Match": tag})
            assert again.status_code == (304 if tag == tags[kinds.index(headers)] else 200)
            assert (again.data == b"") == (again.status_code == 304)


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("zstd", "zstd"),
        ("ZSTD, gzip", "zstd"),
        ("gzip, zstd;q=0.5", "gzip"),
        ("gzip;q=0.5, zstd;q=0.5", "zstd"),
        ("zstd;q=0, gzip;q=0.1", "gzip"),
        ("*", "gzip"),
        ("identity;q=0.5, *;q=0.1", "gzip"),
    ],
)
def test_the_coding_with_the_highest_weight_is_used(app: Flask, accepts: str, coding: str) -> None:
    answer = FlaskClient(app).get(SERVICES.format("json"), headers={"Accept-Encoding": accepts})
    assert answer.headers["Content-Encoding"] == coding


@pytest.mark.parametrize("accepts", ["identity", "gzip;q=0", "zstd;q=0", "br", "*;q=0", ""])
def test_the_body_is_not_compressed_for_a_client_that_accepts_neither_zstd_nor_gzip(
    app: Flask, accepts: str
) -> None:
    answer = FlaskClient(app).get(SERVICES.format("json"), headers={"Accept-Encoding": accepts})
    assert answer.headers.get("Content-Encoding") is None


def test_small_answers_and_answers_with_compress_off_are_not_compressed(
    make_app: Callable[..., Flask],
) -> None:
    small = FlaskClient(make_app()).get("/open311/v2/requests.json", headers=GZIP)
    assert small.headers.get("Content-Encoding") is None
    switched_off = FlaskClient(make_app(compress=False)).get(SERVICES.format("json"), headers=GZIP)
    assert switched_off.headers.get("Content-Encoding") is None
