"""GeoReport files in the dialects of known servers, and files that only look like GeoReport."""

from __future__ import annotations

import io
import json
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast
from xml.etree.ElementTree import Element
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.imports import Refusal, SourceRow
from open311.errors import Invalid
from open311.formats.reading import open_source
from open311.formats.reading.elements import parser_into, read_elements

SAMPLES = Path(__file__).parent.parent / "samples"
ONE = '{"service_request_id": "7", "requested_datetime": "2026-04-03T14:10:00Z", "service_code": "x"}'
ONE_XML = "<service_request_id>7</service_request_id><service_code>x</service_code>"


def read(body: bytes | str, wanted: str = "") -> list[SourceRow | Refusal]:
    source = open_source(io.BytesIO(body.encode() if isinstance(body, str) else body), wanted=wanted)
    return source.column_map.rows(source.found)


def only(body: bytes | str, wanted: str = "") -> SourceRow:
    (row,) = read(body, wanted)
    assert isinstance(row, SourceRow)
    return row


def fault(body: bytes | str, wanted: str = "") -> str:
    with pytest.raises(Invalid) as caught:
        read(body, wanted)
    return str(caught.value)


def sample(name: str) -> list[SourceRow]:
    return [row for row in read((SAMPLES / name).read_bytes()) if isinstance(row, SourceRow)]


# JSON


@pytest.mark.parametrize(
    "body",
    [
        f"[{ONE}]",
        ONE,
        f'{{"service_requests": [{ONE}]}}',
        f'{{"service_requests": {ONE}}}',
        f'{{"requests": [{ONE}]}}',
        f'[{{"request": {ONE}}}]',
        f'{{"service_requests": {{"request": [{ONE}]}}}}',
        f'{{"data": {{"requests": [{ONE}]}}}}',
        f"\n  [{ONE}]",
        b"\xef\xbb\xbf" + f"[{ONE}]".encode(),
        f"[{ONE}]".encode("utf-16"),
    ],
)
def test_every_known_json_list_is_read(body: bytes | str) -> None:
    row = only(body)
    assert (row.position, row.service_request_id, row.service_codes) == (1, "7", ("x",))
    assert row.requested == "2026-04-03T14:10:00Z"


@pytest.mark.parametrize(
    "body", ["", "  \n", "[]", "null", "{}", '{"service_requests": []}', '{"service_requests": null}']
)
def test_json_without_requests_is_an_empty_list(body: str) -> None:
    source = open_source(io.BytesIO(body.encode()))
    assert (source.format, source.count, list(source.found)) == ("georeport-json", 0, [])


def test_numbers_keep_all_their_digits() -> None:
    row = only(ONE.replace('"7"', "9" * 5_000).replace('"x"', "1e5") + "\n")
    assert row.service_request_id == "9" * 5_000
    assert row.service_codes == ("1e5",)


def test_torontos_file_is_read() -> None:
    (row,) = sample("toronto.json")
    assert (row.service_request_id, row.address_id) == ("101009999901", "9544823")
    assert (row.lat, row.long) == ("43.683629226", "-79.48746252100001")
    assert (row.description, row.service_notice, row.media) == ("", "", ())


def test_a_null_or_blank_field_equals_a_missing_field() -> None:
    rows = [only(f'[{{"service_request_id": "7", "requested_datetime": "x"{more}}}]') for more in _NOTHING]
    assert len(set(rows)) == 1


_NOTHING = ["", ', "address": null', ', "address": ""', ', "address": {"@xsi:nil": "true"}', ', "address": []']


def test_several_pictures_are_read_in_any_form() -> None:
    forms = (
        '["https://a.example/1", "https://a.example/2"]',
        '"https://a.example/1,https://a.example/2"',
        '"https://a.example/1\\nhttps://a.example/2"',
    )
    for form in forms:
        row = only(ONE.replace("}", f', "media_url": {form}}}'))
        assert row.media == ("https://a.example/1", "https://a.example/2")


def test_reporter_data_and_extensions_are_not_read() -> None:
    row = only(
        ONE.replace(
            "}",
            ', "email": "a@b.example", "first_name": "Ann", "phone": "1", "device_id": "d", "account_id": "1",'
            ' "extended_attributes": {"first_name": "Ann"}, "notes": [{"description": "Ann"}]}',
        )
    )
    assert "Ann" not in str(row)
    assert "b.example" not in str(row)


def test_a_bulk_file_is_read_and_its_services_are_found_by_name() -> None:
    head = "service_request_id,requested_datetime,closed_date,status_description,service_name,lat,long\r\n"
    row = only(head + "7,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,Closed,Pothole,1.5,2.5\r\n")
    assert (row.status, row.closed, row.service_name, row.by_name) == (
        "Closed",
        "2026-01-02T00:00:00Z",
        "Pothole",
        True,
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('[{"code": 403, "description": "No key."}]', "is an error answer, not a list of requests: No key."),
        ("[1, 2]", 'holds "1" where a request should be.'),
        ("[" * 100_000, "is nested too deeply"),
        ('{"data":' * 9 + "[]" + "}" * 9, "is nested too deeply"),
        (f"[{ONE}", "is not JSON: line 1"),
        ('[{"service_code": "x", "service_name": "y"}]', "fits none of the column maps austin, "),
        ('[{"service_request_id": "7"}]', "lacks the column requested_datetime of georeport data"),
    ],
)
def test_json_without_a_list_of_requests_is_refused_with_a_reason(body: str, words: str) -> None:
    assert fault(body).startswith(words)


def test_json_over_the_limit_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("open311.formats.reading.objects.MAX_BYTES", 1_000)
    assert "too large" in fault(f"[{ONE}]" + " " * 1_000)


# XML


@pytest.mark.parametrize(
    "body",
    [
        f"<service_requests><request>{ONE_XML}</request></service_requests>",
        f"<requests><request>{ONE_XML}</request></requests>",
        f"<service_requests><service_request>{ONE_XML}</service_request></service_requests>",
        f"<request>{ONE_XML}</request>",
        f"<service_request>{ONE_XML}</service_request>",
        f"<answer><service_requests><request>{ONE_XML}</request></service_requests></answer>",
        f"<request><list><request>{ONE_XML}</request></list></request>",
        f'<o:requests xmlns:o="http://wiki.open311.org/GeoReport_v2"><o:request>{ONE_XML}</o:request></o:requests>',
        f"\ufeff<?xml version='1.0'?>\n<requests><request>{ONE_XML}</request></requests>",
        f"<?xml version='1.0' encoding='utf-16'?><requests><request>{ONE_XML}</request></requests>".encode(
            "utf-16"
        ),
        f"<requests>{'<!-- -->' * 20_000}<request>{ONE_XML}</request></requests>",
        f"<!-- of <request/>s --><?style <x>?>\n<requests><?x?><request>{ONE_XML}</request></requests><!-- end -->",
        f"<r:requests><request undeclared:lang='en'>{ONE_XML}</request></r:requests>",
    ],
)
def test_every_known_xml_list_is_read(body: bytes | str) -> None:
    row = only(body)
    assert (row.position, row.service_request_id, row.service_codes) == (1, "7", ("x",))


@pytest.mark.parametrize("body", ["<service_requests/>", "<requests></requests>", "", "\n "])
def test_xml_without_requests_is_an_empty_list(body: str) -> None:
    assert read(body, "georeport-xml") == []


def test_texts_with_escapes_cdata_and_nil_are_read() -> None:
    first, second = sample("sanfrancisco.xml")
    assert first.service_name == "Graffiti & posters"
    assert first.description.split() == ["On", "the", '"Embarcadero"', "side", "—", "see", "<sign>"]
    assert first.service_notice == ""  # xsi:nil: its text is ignored
    assert first.requested == "2012-05-23 17:12:01"
    assert "someone@example.com" not in str(first)
    assert (second.position, second.lat, second.long, second.status) == (2, "0.0", "0.0", "CLOSED")


def test_a_nested_element_is_not_read_as_a_field() -> None:
    row = only(
        f"<requests><request><extended_attributes><status>duplicate</status></extended_attributes>{ONE_XML}"
        "<status>open</status><media_urls><url>https://a.example/1</url><url>https://a.example/2</url></media_urls>"
        "</request></requests>"
    )
    assert row.status == "open"
    assert row.media == ("https://a.example/1", "https://a.example/2")


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><requests><request><description>&i;</description></request></requests>"
)


EXTERNAL_ENTITY = (
    '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<requests><request><status>&x;</status></request></requests>"
)


@pytest.mark.requirement("C295")
@pytest.mark.parametrize(
    "body",
    [
        BILLION_LAUGHS,
        EXTERNAL_ENTITY,
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/evil.dtd"><requests/>',
        '<!DOCTYPE r PUBLIC "-//R//EN" "http://127.0.0.1:9/evil.dtd"><requests/>',
        '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/evil.dtd"> %x;]><requests/>',
        "<!DOCTYPE r><requests/>",
        "<!DOCTYPE html><html><body>Not found</body></html>",
        pytest.param(f"<?xml version='1.0'?><!-- {'x' * 100_000} --><?x?>{EXTERNAL_ENTITY}", id="long comment"),
        f"<?xml version='1.0' encoding='utf-16'?>{EXTERNAL_ENTITY}".encode("utf-16"),
        f"<?xml version='1.0' encoding='cp1252'?>{EXTERNAL_ENTITY}",
    ],
)
def test_xml_with_a_doctype_is_not_read(body: bytes | str) -> None:
    refusal = "has a DOCTYPE, which no list of requests has; it is not read."
    assert fault(body, "georeport-xml") == refusal


@pytest.mark.requirement("C295")
@pytest.mark.parametrize("body", [BILLION_LAUGHS, EXTERNAL_ENTITY])
def test_the_parser_stops_at_a_doctype_before_the_first_entity(body: str) -> None:
    events: list[tuple[bool, Element]] = []
    parser = parser_into(events)
    with pytest.raises(Invalid, match="has a DOCTYPE"):
        parser.Parse(body.encode(), True)
    assert parser.CurrentByteIndex <= body.index("<!ENTITY")
    with pytest.raises(expat.ExpatError, match="parsing finished"):
        parser.Parse(b"", True)
    assert events == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<a>" * 100, "is nested too deeply"),
        pytest.param("<request>" * 100_000, "is nested too deeply", id="deep"),
        pytest.param(
            f"<request>{'<a>' * 100_000}{'</a>' * 100_000}</request>", "is nested too deeply", id="deep field"
        ),
        pytest.param(
            f"<request><description>{'x' * 1_000_001}</description></request>",
            "has a <description> of more than 1000000",
            id="long text",
        ),
        pytest.param(
            f"<request><description>{'x' * 500_001}<b>{'x' * 500_001}</b></description></request>",
            "has a <description> of more than 1000000",
            id="long texts",
        ),
        pytest.param(f"<requests>{' ' * 9_000_000}", "has an element of more than 8 MB", id="blanks"),
        pytest.param(f"<request><a>{'<b/>' * 50_000}", "has an element of more than 8 MB", id="many children"),
        ("<request><status>&unheard_of;</status></request>", "is not well-formed XML: line 1: undefined entity."),
        ("<requests><request></requests>", "is not well-formed XML: line 1: mismatched tag."),
        ("<requests>\n<request>", "is not well-formed XML: line 2"),
        ("<errors><error><code>404</code></error></errors>", "is an error answer, not a list of requests."),
        ("<services><service/></services>", "holds no requests; its root is <services>."),
        ("<?xml version='1.0' encoding='klingon'?><requests/>", "is in an encoding that cannot be read;"),
        ("<?xml version='1.0' encoding='gb2312'?><requests/>", "is in an encoding that cannot be read;"),
        (b"<requests>\xff\xff</requests>", "is not well-formed XML"),
    ],
)
def test_invalid_or_unknown_xml_is_refused_with_a_reason(body: bytes | str, words: str) -> None:
    assert fault(body).startswith(words)


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("<request><status>", "is not well-formed XML"),
        ("<request><status>open</st", "is not well-formed XML"),
        pytest.param(
            f"<request><description>{'x' * 2_000_000}</description></request></requests>",
            "has a <description> of more than 1000000",
            id="long text",
        ),
        (f"<request>{'<a>' * 100}", "is nested too deeply"),
        ("<request></wrong>", "is not well-formed XML"),
    ],
)
def test_requests_before_a_fault_are_read(rest: str, words: str) -> None:
    good = f"<requests><request>{ONE_XML}</request><request>{ONE_XML}</request>"
    rows = open_source(io.BytesIO(f"{good}{rest}".encode())).found
    for position in (1, 2):
        row = next(rows)
        assert not isinstance(row, Refusal)
        assert (row[0], row[2]["service_request_id"]) == (position, "7")
    with pytest.raises(Invalid, match=words):
        next(rows)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "cp1252"]
)
def test_xml_is_read_in_the_encoding_that_it_declares(encoding: str) -> None:
    declared = "utf-16" if encoding.startswith("utf-16") else encoding.removesuffix("-sig")
    head = f"<?xml version='1.0' encoding='{declared}'?>"
    body = f"{head}<requests><request>{ONE_XML}<description>Größe</description></request></requests>"
    assert only(body.encode(encoding), "georeport-xml").description == "Größe"


def test_comments_and_instructions_are_not_part_of_a_text() -> None:
    row = only(f"<request>{ONE_XML}<status>op<!-- <status>closed</status> -->e<?x y?>n</status></request>")
    assert row.status == "open"


class _Endless(io.RawIOBase):
    """A file whose content is made while it is read."""

    def __init__(self, *parts: tuple[bytes, int]) -> None:
        self._parts = (part for part, times in parts for _ in range(times))

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return b"".join(islice(self._parts, max(1, size // 1_000)))


@pytest.mark.parametrize(
    "piece", [f"<request>{ONE_XML}</request>", "<service><name>x</name></service>", "<!-- x -->"]
)
def test_memory_does_not_grow_with_the_file(piece: str) -> None:
    # Other threads of this process allocate too, and can only add to a peak.
    assert min(_peak(piece) for _ in range(3)) < 700_000


def _peak(piece: str) -> int:
    """The most bytes that are allocated while a file with a megabyte of these pieces is read."""
    parts = (b"<requests>", 1), (piece.encode() * (1_000 // len(piece)), 1_000), (b"</requests>", 1)
    tracemalloc.start()
    try:
        for _ in read_elements(cast("BinaryIO", _Endless(*parts))):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak


# Anything


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for wanted in ("", "georeport-json", "georeport-xml", "georeport-csv"):
        try:
            read(body, wanted)
        except Invalid as error:
            assert str(error)  # noqa: PT017


_json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["service_request_id", "requested_datetime", "service_requests", "request", "data", "lat"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(_json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        read(json.dumps(value), "georeport-json")
    except Invalid as error:
        assert str(error)  # noqa: PT017


def test_the_error_for_a_binary_file_names_its_type() -> None:
    assert "damaged, or not whole" in fault(b"\x1f\x8b\x08\x00rest")
    assert "unpack it" in fault(b"BZh9rest")
    assert "save it as CSV" in fault(b"PAR1rest")
    assert "spreadsheet" in fault(b"PK\x03\x04rest")
