"""The bodies that a POST may have: media types, charsets, encodings of attributes, query parameters, sizes."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree
from werkzeug.test import TestResponse

from open311.domain.services import Attribute
from open311.domain.text import clean_text
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
FORM = "application/x-www-form-urlencoded"
PLACE = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
PAINT = {"service_code": "graffiti", "lat": "60.1718", "long": "24.9414"}

Send = Callable[..., TestResponse]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


@pytest.fixture
def send(client: FlaskClient, key: str) -> Send:
    """Sends raw bytes, with the key in a header."""

    def post(
        body: bytes = b"",
        content_type: str | None = FORM,
        *,
        format: str = "json",
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        return client.post(
            f"{BASE}/requests.{format}?{query}",
            data=body,
            content_type=content_type,
            headers={"X-Api-Key": key, **(headers or {})},
        )

    return post


def encoded(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode()


def newest(client: FlaskClient) -> dict[str, str]:
    found: dict[str, str] = client.get(f"{BASE}/requests.json").json[0]
    return found


def answers(platform: Platform, response: TestResponse) -> dict[str, tuple[str, ...]]:
    """The stored attributes of the request that a POST has made."""
    assert response.status_code == 200, response.text
    record = build.load(platform, service_request_id=response.json[0]["service_request_id"])
    return {answer.code: answer.values for answer in record.answers}


@both_formats
@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        f"{FORM}; charset=utf-8",
        f"{FORM};charset=UTF-8",
        f'{FORM}; charset="utf-8"',
        f"{FORM}; charset=us-ascii",
        "Application/X-WWW-Form-Urlencoded",
        None,
        "",
    ],
)
def test_a_form_is_read_under_each_spelling_of_its_media_type(
    send: Send, format: str, content_type: str | None
) -> None:
    assert send(encoded(PLACE), content_type, format=format).status_code == 200


@both_formats
@pytest.mark.requirement("C142")
def test_multipart_is_read_and_the_answer_names_its_files(client: FlaskClient, key: str, format: str) -> None:
    data = PLACE | {
        "api_key": key,
        "description": "Ü & <deep>\r\nsecond",
        "media": (io.BytesIO(b"\xff\xd8"), "1.jpg"),
    }
    answer = client.post(f"{BASE}/requests.{format}", data=data, content_type="multipart/form-data")
    assert answer.status_code == 200
    reason = "it is not a picture that can be shown here; send a picture of one of these kinds: JPEG, PNG, WEBP"
    assert f"Your report is kept, but not the file in media: {reason}" in answer.text
    (warning,) = answer.headers.getlist("Warning")
    assert warning.startswith(f'299 - "the file in media is not kept as a photo: {reason}')
    found = newest(client)
    assert found["description"] == "Ü & <deep>\nsecond"
    assert "photo" not in found["service_notice"]


@both_formats
@pytest.mark.requirement("C144")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/json",
        "text/xml",
        "multipart/mixed; boundary=x",
        f"{FORM}; charset=latin-1",
        f"{FORM}; charset=utf-16",
        "multipart/form-data; charset=iso-8859-1; boundary=x",
        "nonsense",
    ],
)
def test_an_unsupported_media_type_or_charset_gets_415_and_the_error_names_supported_ones(
    send: Send, format: str, content_type: str
) -> None:
    answer = send(encoded(PLACE), content_type, format=format)
    assert answer.status_code == 415
    assert "is not read here; send" in answer.text


@both_formats
@pytest.mark.requirement("C026")
@pytest.mark.parametrize(
    "body",
    [
        b"description=%FF",
        b"description=\xff",
        b"description=%C3",
        b"description=%ED%A0%80",
        b"%FF=x",
        b"description=%F8%88%80%80%80",
    ],
)
def test_bytes_that_are_not_utf8_get_400(send: Send, format: str, body: bytes) -> None:
    answer = send(encoded(PLACE) + b"&" + body, format=format)
    assert answer.status_code == 400
    assert "UTF-8" in answer.text


def test_multipart_bytes_that_are_not_utf8_get_400(send: Send) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="description"\r\n\r\ncaf\xe9\r\n--x--\r\n'
    answer = send(body, "multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert "UTF-8" in answer.text


@pytest.mark.parametrize("body", [b"description=Caf%E9", b"description=Caf\xe9"])
def test_the_error_for_latin1_shows_the_field_and_the_wrong_text(send: Send, body: bytes) -> None:
    answer = send(encoded(PLACE) + b"&" + body)
    assert answer.json[0]["description"] == "description: is not UTF-8; read as Latin-1 it says 'Café'. Send UTF-8."


def test_a_part_that_declares_latin1_is_read(client: FlaskClient, send: Send) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="description"\r\n'
    body = part + b"Content-Type: text/plain; charset=ISO-8859-1\r\n\r\ncaf\xe9\r\n--x--\r\n"
    assert send(body, "multipart/form-data; boundary=x", query=urlencode(PLACE)).status_code == 200
    assert newest(client)["description"] == "café"


def coded_part(coding: str, value: bytes, more: str = "") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="description"{more}\r\n'
    return f"{head}Content-Transfer-Encoding: {coding}\r\n\r\n".encode() + value + b"\r\n--x--\r\n"


@both_formats
@pytest.mark.parametrize(
    ("coding", "value"),
    [
        ("base64", b"Y2Fmw6kgPSA1IOKCrA=="),
        ("Base64", b"Y2Fmw6kg\r\nPSA1IOKCrA==\r\n"),
        ("base64", b" Y2 Fmw6kg\tPSA1I OKCrA== "),
        ("quoted-printable", b"caf=C3=A9 =3D 5=20=\r\n=e2=82=ac"),
        ("8bit", "café = 5 €".encode()),
        ("7BIT", "café = 5 €".encode()),
        ("binary", "café = 5 €".encode()),
    ],
)
def test_the_transfer_encoding_of_a_field_is_decoded(
    client: FlaskClient, send: Send, format: str, coding: str, value: bytes
) -> None:
    answer = send(
        coded_part(coding, value), "multipart/form-data; boundary=x", format=format, query=urlencode(PLACE)
    )
    assert answer.status_code == 200, answer.text
    assert newest(client)["description"] == "café = 5 €"


def test_blanks_in_base64_need_no_memory(send: Send) -> None:
    body = coded_part("base64", b"AA " * 2_000_000, '; filename="a.jpg"')
    tracemalloc.start()
    try:
        send(body, "multipart/form-data; boundary=x", query=urlencode(PLACE))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * len(body)


@both_formats
@pytest.mark.parametrize("file", ["", '; filename="1.jpg"'])
@pytest.mark.parametrize(
    ("coding", "value", "told"),
    [
        ("base64", b"Y2Fm?", "is not base64, which its Content-Transfer-Encoding names"),
        ("base64", b"Y2Fmw", "is not base64, which its Content-Transfer-Encoding names"),
        ("base64", b"Y2==Y2==", "is not base64, which its Content-Transfer-Encoding names"),
        ("quoted-printable", b"5 = 5", "is not quoted-printable, which its Content-Transfer-Encoding names"),
        ("quoted-printable", b"caf=C", "is not quoted-printable, which its Content-Transfer-Encoding names"),
        ("x-uuencode", b"#0V%F", "has the Content-Transfer-Encoding x-uuencode, which is not read here"),
    ],
)
def test_the_error_for_a_transfer_encoding_names_the_field(
    send: Send, format: str, file: str, coding: str, value: bytes, told: str
) -> None:
    body = coded_part(coding, value, file)
    answer = send(body, "multipart/form-data; boundary=x", format=format, query=urlencode(PLACE))
    assert answer.status_code == 400
    assert f"description: {told}" in answer.text


def test_the_charset_of_a_part_is_that_of_its_decoded_text(client: FlaskClient, send: Send) -> None:
    coding = "base64\r\nContent-Type: text/plain; charset=ISO-8859-1"
    body = coded_part(coding, b"Y2Fm6Q==")
    assert send(body, "multipart/form-data; boundary=x", query=urlencode(PLACE)).status_code == 200
    assert newest(client)["description"] == "café"


def multipart(fields: Mapping[str, str], boundary: str = "x", files: Mapping[str, bytes] | None = None) -> bytes:
    """A multipart body; `files` are pictures."""
    heads = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    heads += [(f'name="{name}"; filename="1.jpg"', content) for name, content in (files or {}).items()]
    parts = (
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in heads
    )
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


@pytest.mark.requirement("C299")
@pytest.mark.parametrize(
    ("boundary", "named"),
    [
        ("===1700000000===", "===1700000000==="),
        ("===1700000000===", "===1700000000===; charset=utf-8"),
        ("a b;c", '"a b;c"'),
        ("'+_,-./:=?", "'+_,-./:=?"),
    ],
)
def test_a_multipart_boundary_is_read_quoted_or_not(send: Send, boundary: str, named: str) -> None:
    assert send(multipart(PLACE, boundary), f"multipart/form-data; boundary={named}").status_code == 200


@both_formats
@pytest.mark.requirement("C300")
@pytest.mark.parametrize("body", [b"", b"--x--\r\n", b"--other\r\n", encoded(PLACE)])
def test_the_error_for_a_multipart_body_without_parts_gives_the_reason(
    send: Send, format: str, body: bytes
) -> None:
    answer = send(body, "multipart/form-data; boundary=x", format=format, query=urlencode(PLACE))
    assert answer.status_code == 400
    assert "the multipart body has no parts" in answer.text


@both_formats
@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
def test_the_error_for_too_many_parameters_names_the_limit(send: Send, format: str, form: str) -> None:
    fields = PLACE | {f"x{number}": "" for number in range(1_000)}
    answer = (
        send(encoded(fields), format=format)
        if form == "urlencoded"
        else send(multipart(fields), "multipart/form-data; boundary=x", format=format)
    )
    assert answer.status_code == 400
    assert "there are more than 1000 parameters; send fewer." in answer.text


@pytest.mark.parametrize("faulty", [{"lat": "60\0"}, {"lat": "60\0", "long": "24\0"}, {"address_string": "\0"}])
def test_a_place_with_nul_characters_is_not_called_missing(send: Send, faulty: dict[str, str]) -> None:
    place = {} if "address_string" in faulty else {"lat": "60.17", "long": "24.94"}
    answer = send(encoded({"service_code": "potholes"} | place | faulty))
    faults = [f"{name}: holds a NUL character; leave it out." for name in faulty]
    assert [problem["description"] for problem in answer.json] == faults


@pytest.mark.requirement("C301")
def test_files_have_a_separate_size_limit(make_app: Callable[..., Flask]) -> None:
    app = make_app(max_body_bytes=1000, max_upload_bytes=300_000)
    _, secret = add_key(platform_of(app), label="tests", now=build.NOON)
    statuses = []
    for fields, size in (({}, 200_000), ({"description": "x" * 980}, 200_000), ({}, 300_000)):
        body = multipart(PLACE | fields, files={"media": b"\xff\r\n-" * (size // 4)})
        answer = app.test_client().post(
            f"{BASE}/requests.json",
            data=body,
            content_type="multipart/form-data; boundary=x",
            headers={"X-Api-Key": secret},
        )
        statuses.append(answer.status_code)
    assert statuses == [200, 413, 413]


def test_an_empty_file_field_gives_no_warning(send: Send) -> None:
    body = multipart(PLACE, files={"media": b""}).replace(b'"1.jpg"', b'""')
    answer = send(body, "multipart/form-data; boundary=x")
    assert (answer.status_code, answer.headers.getlist("Warning")) == (200, [])
    assert "media_url" not in answer.json[0]["service_notice"]


@pytest.mark.requirement("C302")
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity"])
def test_a_gzip_body_is_read(client: FlaskClient, send: Send, coding: str) -> None:
    body = encoded(PLACE | {"description": "packed"})
    packed = gzip.compress(body[:20]) + gzip.compress(body[20:])  # two members, as a proxy may send
    answer = send(body if coding == "identity" else packed, headers={"Content-Encoding": coding})
    assert answer.status_code == 200, answer.text
    assert newest(client)["description"] == "packed"


@both_formats
@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, br"])
def test_an_unsupported_coding_gets_415_and_the_error_names_it(send: Send, format: str, coding: str) -> None:
    answer = send(encoded(PLACE), format=format, headers={"Content-Encoding": coding})
    assert answer.status_code == 415
    assert f"Content-Encoding {coding} is not read here; send gzip or no coding." in answer.text


@both_formats
def test_a_broken_gzip_body_gets_400(send: Send, format: str) -> None:
    packed = gzip.compress(encoded(PLACE))
    for body, why in ((encoded(PLACE), "is not gzip"), (packed[:-9], "is cut off")):
        answer = send(body, format=format, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 400
        assert why in answer.text


def test_the_size_limit_applies_to_the_unpacked_gzip_body(make_app: Callable[..., Flask]) -> None:
    client = make_app(max_body_bytes=5_000).test_client()
    body = gzip.compress(encoded({"description": "x" * 1_000_000}))
    assert len(body) < 5_000
    headers = {"Content-Encoding": "gzip"}
    assert client.post(f"{BASE}/requests.json", data=body, content_type=FORM, headers=headers).status_code == 413


def test_a_replacement_character_that_the_caller_sent_is_kept(client: FlaskClient, key: str) -> None:
    data = PLACE | {"api_key": key, "description": "caf\ufffd"}
    assert client.post(f"{BASE}/requests.json", data=data, content_type="multipart/form-data").status_code == 200
    assert newest(client)["description"] == "caf\ufffd"


@both_formats
@pytest.mark.parametrize(
    "body", [b"description=a%00b", b"email=%00", b"attribute[NOTE]=%00", b"a%00b=1", b"jurisdiction_id=%00"]
)
def test_nul_in_any_parameter_is_refused(send: Send, format: str, body: bytes) -> None:
    answer = send(encoded(PLACE) + b"&" + body, format=format)
    assert answer.status_code in ((400,) if b"jurisdiction" not in body else (400, 404))


@pytest.mark.parametrize(
    "path",
    [
        "requests/%00",
        "requests/1,%00",
        "tokens/%00",
        "services/%00",
        "requests",
        "services",
        "discovery",
    ],
)
@pytest.mark.parametrize(
    "query", ["", "jurisdiction_id=%00", "service_request_id=%00", "service_code=a%00", "locale=%00"]
)
def test_nul_in_a_path_or_query_causes_no_server_error(client: FlaskClient, path: str, query: str) -> None:
    assert client.get(f"{BASE}/{path}.json?{query}").status_code < 500


@both_formats
@pytest.mark.parametrize("kind", ["urlencoded", "multipart", "chunked"])
@pytest.mark.requirement("C166")
def test_a_body_over_the_limit_gets_413(make_app: Callable[..., Flask], format: str, kind: str) -> None:
    client = make_app(max_body_bytes=1000).test_client()
    path, body = f"{BASE}/requests.{format}", {"description": "x" * 2000}
    if kind == "chunked":
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
        answer = client.post(
            path, input_stream=io.BytesIO(encoded(body)), content_type=FORM, environ_overrides=environ
        )
    else:
        answer = client.post(path, data=body, content_type=FORM if kind == "urlencoded" else "multipart/form-data")
    assert answer.status_code == 413
    assert "send at most 1000 bytes" in answer.text


def test_a_chunked_body_within_the_limit_is_read(client: FlaskClient, key: str) -> None:
    answer = client.post(
        f"{BASE}/requests.json",
        input_stream=io.BytesIO(encoded(PLACE | {"api_key": key})),
        content_type=FORM,
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 200


@both_formats
def test_too_many_parameters_are_refused(send: Send, format: str) -> None:
    body = b"&".join(b"a=%d" % number for number in range(1001))
    assert send(body, format=format).status_code == 400
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(1001))
    assert send(parts + b"--x--\r\n", "multipart/form-data; boundary=x", format=format).status_code in (400, 413)


@both_formats
@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', b"\xff" * 50]
)
@pytest.mark.parametrize("boundary", ["", "; boundary=x", "; boundary="])
def test_a_truncated_multipart_body_is_refused(send: Send, format: str, body: bytes, boundary: str) -> None:
    assert send(body, f"multipart/form-data{boundary}", format=format).status_code in (400, 413)


@pytest.mark.requirement("C145")
def test_parameters_are_read_from_the_query_and_the_body_overrides(client: FlaskClient, send: Send) -> None:
    query = urlencode(PLACE | {"description": "from the query", "address_string": "5 Mill Lane"})
    assert send(b"description=from+the+body", query=query).status_code == 200
    found = newest(client)
    assert (found["description"], found["address"]) == ("from the body", "5 Mill Lane")


def test_a_blank_value_in_the_body_overrides_the_query(client: FlaskClient, send: Send) -> None:
    assert send(b"description=", query=urlencode(PLACE | {"description": "from the query"})).status_code == 200
    assert newest(client)["description"] is None


def test_an_alias_in_the_body_overrides_the_query(send: Send, platform: Platform) -> None:
    assert send(encoded(PLACE) + b"&deviceid=body", query="device_id=query").status_code == 200
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT device_id FROM reporter").scalar_one() == "body"


def test_an_attribute_in_the_body_replaces_the_attribute_in_the_query(platform: Platform, send: Send) -> None:
    query = urlencode([("attribute[SURFACE]", "metal"), ("attribute[TAGS][]", "c")])
    answer = send(
        encoded(PAINT) + b"&attribute[SURFACE]=brick&attribute[TAGS][0]=a&attribute[TAGS][1]=b", query=query
    )
    assert answers(platform, answer) == {"SURFACE": ("brick",), "TAGS": ("a", "b")}


TAGS = [
    ([("attribute[TAGS][]", "a"), ("attribute[TAGS][]", "b")], ("a", "b")),
    ([("attribute[TAGS]", "a"), ("attribute[TAGS]", "b")], ("a", "b")),
    ([("attribute[TAGS][0]", "a"), ("attribute[TAGS][1]", "b")], ("a", "b")),
    ([("attribute[TAGS][10]", "c"), ("attribute[TAGS][]", "a"), ("attribute[TAGS]", "b")], ("c", "a", "b")),
    ([("attribute[TAGS][]", "x,y")], ("x,y",)),
    ([("attribute[TAGS]", "a")], ("a",)),
    ([("attribute[TAGS][][]", "a"), ("attribute[TAGS][0][]", "b")], ("a", "b")),
]


@pytest.mark.requirement("C124")
@pytest.mark.requirement("C128")
@pytest.mark.parametrize(("pairs", "stored"), TAGS)
@pytest.mark.parametrize("kind", ["raw", "encoded", "multipart"])
def test_several_values_are_read_in_every_encoding(
    client: FlaskClient,
    platform: Platform,
    key: str,
    pairs: list[tuple[str, str]],
    stored: tuple[str, ...],
    kind: str,
) -> None:
    fields = [("api_key", key), *PAINT.items(), ("attribute[SURFACE]", "brick"), *pairs]
    if kind == "multipart":
        data: dict[str, list[str]] = {}
        for name, value in fields:
            data.setdefault(name, []).append(value)
        answer = client.post(f"{BASE}/requests.json", data=data, content_type="multipart/form-data")
    else:
        safe = "[]" if kind == "raw" else ""
        body = "&".join(f"{quote(name, safe=safe)}={quote(value)}" for name, value in fields)
        answer = client.post(f"{BASE}/requests.json", data=body, content_type=FORM)
    assert answers(platform, answer)["TAGS"] == stored


@pytest.mark.parametrize("code", ["1", "A B", "x]y", "Ü", "a.b"])
def test_attribute_codes_are_opaque(make_app: Callable[..., Flask], code: str) -> None:
    question = Attribute(code=code, description="?", required=True)
    app = make_app(build.city(services=(replace(build.HOLE, attributes=(question,)),)))
    platform = platform_of(app)
    _, secret = add_key(platform, label="tests", now=build.NOON)
    data = PLACE | {"api_key": secret, f"attribute[{code}]": "yes"}
    answer = app.test_client().post(f"{BASE}/requests.json", data=data)
    assert answers(platform, answer) == {code: ("yes",)}


def test_a_malformed_attribute_name_is_ignored(platform: Platform, send: Send) -> None:
    strange = "&".join(
        f"{quote(name, safe='[]')}=x"
        for name in (
            "attribute",
            "attribute[]",
            "attribute[][]",
            "attribute[SURFACE",
            "xattribute[SURFACE]",
            "[SURFACE]",
        )
    )
    answer = send(encoded(PAINT | {"attribute[SURFACE]": "brick"}) + f"&{strange}".encode())
    assert answers(platform, answer) == {"SURFACE": ("brick",)}


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)


@pytest.mark.requirement("C025")
@pytest.mark.requirement("C150")
def test_any_text_is_stored_and_returned_in_both_formats(client: FlaskClient, key: str) -> None:
    @given(ANY_TEXT, st.sampled_from(["urlencoded", "multipart"]))
    @example('a < b & "c" > d ]]> <!-- --> &amp; \\u0000 %41 +', "urlencoded")
    @example("\x01\x10\x1f\ufffe\uffff", "urlencoded")
    @example("line\r\nline\rline\n\ttab \u2028 \x85 \u00a0 end", "multipart")
    @example("🌳" * 200, "urlencoded")
    @example('{"json": [1]}', "multipart")
    def check(text: str, kind: str) -> None:
        expected = clean_text(text).strip()
        data = PLACE | {"api_key": key, "description": text, "address_string": text}
        content_type = FORM if kind == "urlencoded" else "multipart/form-data"
        answer = client.post(f"{BASE}/requests.json", data=data, content_type=content_type)
        assert answer.status_code == 200, answer.text
        path = f"{BASE}/requests/{answer.json[0]['service_request_id']}"
        found = client.get(f"{path}.json").json[0]
        document = etree.fromstring(client.get(f"{path}.xml").data)
        for name in ("description", "address"):
            assert (found[name] or "") == expected
            assert (document.findtext(f"request/{name}") or "") == expected

    check()


@pytest.mark.requirement("C146")
@pytest.mark.requirement("C148")
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("x" * 4000, 200),
        ("🌳" * 4000, 200),
        ("x" * 4001, 400),
        ("🌳" * 4001, 400),
        (" " * 100 + "x" * 4000 + "\r\n" * 100, 200),
        ("\r\n" * 2500, 200),
        ("x" + "\x01" * 100 + "y" * 3999, 200),
    ],
)
def test_the_length_limit_counts_characters_after_cleaning(send: Send, text: str, status: int) -> None:
    assert send(encoded(PLACE | {"description": text})).status_code == status
