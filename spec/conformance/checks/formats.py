"""Formats, headers, encoding: C019 to C039."""

from __future__ import annotations

from collections.abc import Iterator

from spec.conformance.answers import Answer, text_of
from spec.conformance.probe import FORM, Probe, created, require
from spec.conformance.registry import check
from spec.documents import UnreadableError, read

ORIGIN = {"Origin": "https://app.example"}


def _is_type(answer: Answer, media_type: str) -> bool:
    parts = [part.strip().lower() for part in answer.content_type.split(";")]
    return parts[0] == media_type and "charset=utf-8" in [part.replace('"', "") for part in parts[1:]]


@check("C019")
def xml_content_type(probe: Probe) -> None:
    answer = probe.services("xml")
    answer.must(_is_type(answer, "text/xml"), "text/xml; charset=utf-8", answer.content_type)


@check("C020")
def json_content_type(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.services("json")
    answer.must(_is_type(answer, "application/json"), "application/json; charset=utf-8", answer.content_type)


def _xml_answers(probe: Probe) -> Iterator[Answer]:
    """The client's cached answers to GETs of paths that end in .xml, if they succeeded and have a body.

    Other modules check discovery and errors.
    """
    probe.services("xml")
    probe.get("requests.xml")
    base = probe.target.base_url
    for answer in probe.client.answers:
        plain = answer.call.url.startswith(base) and answer.call.url.partition("?")[0].endswith(".xml")
        if plain and answer.succeeded and answer.body:
            yield answer


@check("C021")
def xml_declaration(probe: Probe) -> None:
    for answer in _xml_answers(probe):
        start = answer.body.removeprefix(b"\xef\xbb\xbf")[:100].lower().replace(b"'", b'"')
        declared = start.startswith(b"<?xml") and b'encoding="utf-8"' in start.partition(b"?>")[0]
        answer.must(declared, 'a declaration with encoding="UTF-8"', answer.text[:60])


@check("C022")
def xml_is_well_formed(probe: Probe) -> None:
    for answer in _xml_answers(probe):
        answer.must(
            not answer.body.startswith(b"\xef\xbb\xbf"), "a body without a byte order mark", "a byte order mark"
        )
        try:
            document = read(answer.body)
        except UnreadableError as error:
            answer.fail("well-formed XML in UTF-8", str(error))
        answer.must(not document.foreign, "no namespace", document.foreign)


@check("C023", needs="unicode_service")
def names_beyond_ascii(probe: Probe) -> None:
    probe.json_offered()
    names = []
    for answer in probe.both("services"):
        records = answer.records("services")
        names.append({text_of(item, "service_code"): text_of(item, "service_name") for item in records})
    code = require(probe.prepared.unicode_service)
    xml, json = (by_code.get(code) for by_code in names)
    probe.services("json").must(xml == json, f"the name {xml!r}, as in XML", json)


def _round_trip(probe: Probe, description: str) -> None:
    """Send a new request with this description, and read the request in every format."""
    receipt = created(probe.post(probe.form(description=description)))
    for format in probe.formats:
        record = probe.read_back(receipt, format)
        answer = probe.request(text_of(receipt, "service_request_id"), format)
        answer.must(record.get("description") == description, repr(description), record.get("description"))


@check("C024", needs="plain_service point", writes=True)
def markup_is_escaped_one_time(probe: Probe) -> None:
    _round_trip(probe, 'a < b & "c" > d')


@check("C025", needs="plain_service point", writes=True)
def utf8_is_unchanged(probe: Probe) -> None:
    _round_trip(probe, "é ß – ☂ 🌳")


@check("C026", needs="plain_service point", writes=True)
def broken_utf8_is_refused(probe: Probe) -> None:
    fields = [pair for pair in probe.form() if pair[0] != "description"]
    body = "&".join(f"{name}={value}" for name, value in fields).encode() + b"&description=%FF"
    for format in probe.formats:
        probe.post_body(body, FORM, format).must_be(400)


@check("C027", needs="plain_service point", writes=True)
def control_characters(probe: Probe) -> None:
    for character in ("\x10", "\x00", "\ufffe"):
        answer = probe.post(probe.form(description=f"before{character}after"))
        if answer.status == 400:
            continue
        receipt = created(answer)
        probe.read_back(receipt)
        xml = probe.request(text_of(receipt, "service_request_id"), "xml", fresh=True)
        try:
            text = read(xml.body).plain
        except UnreadableError as error:
            xml.fail("well-formed XML", str(error))
        xml.must(character not in str(text), "an answer without the character", repr(str(text)))


@check("C028")
def accept_json_without_suffix(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.get("services", headers={"Accept": "application/json"}).must_be(200)
    answer.must("json" in answer.content_type, "JSON", answer.content_type)


@check("C029")
def xml_without_suffix_and_accept(probe: Probe) -> None:
    answer = probe.get("services").must_be(200)
    answer.must("xml" in answer.content_type, "XML", answer.content_type)


@check("C030")
def suffix_wins_over_accept(probe: Probe) -> None:
    answer = probe.get("services.xml", headers={"Accept": "application/json"}).must_be(200)
    answer.must("xml" in answer.content_type, "XML", answer.content_type)


@check("C031")
def unknown_suffix(probe: Probe) -> None:
    answer = probe.get("services.yaml").must_be(404)
    answer.must("xml" in answer.content_type, "an errors body in XML", answer.content_type)


@check("C032")
def suffix_in_capitals(probe: Probe) -> None:
    answer = probe.get("services.XML").must_be(200)
    answer.must(answer.body == probe.services("xml").body, "the same as services.xml")


@check("C033")
def doubled_slash(probe: Probe) -> None:
    answer = probe.get("/services.xml").must_be(200)
    answer.must(answer.body == probe.services("xml").body, "the same as services.xml")


@check("C034")
def slash_at_the_end(probe: Probe) -> None:
    probe.get("services.xml/").must_be(404)


@check("C035")
def head(probe: Probe) -> None:
    get_answer = probe.services("xml")
    answer = probe.client.send(probe.call("HEAD", "services.xml")).must_be(get_answer.status)
    answer.must(not answer.body, "no body")
    answer.must(answer.content_type == get_answer.content_type, get_answer.content_type, answer.content_type)


@check("C036")
def preflight(probe: Probe) -> None:
    headers = {**ORIGIN, "Access-Control-Request-Method": "POST"}
    call = probe.call("OPTIONS", f"requests.{probe.formats[-1]}", headers=headers)
    answer = probe.client.send(call).must_be(200, 204)
    _allows_origin(answer)


@check("C037")
def cross_origin_reading(probe: Probe) -> None:
    _allows_origin(probe.get(f"services.{probe.formats[-1]}", headers=ORIGIN))


def _allows_origin(answer: Answer) -> None:
    allowed = answer.headers.get("access-control-allow-origin")
    answer.must(allowed in ("*", ORIGIN["Origin"]), "Access-Control-Allow-Origin", allowed or "none")


@check("C038")
def etag(probe: Probe) -> None:
    path = f"services.{probe.formats[-1]}"
    first = probe.get(path)
    tag = first.headers.get("etag")
    first.must(tag, "an ETag", "none")
    probe.get(path, headers={"If-None-Match": tag or ""}).must_be(304)


@check("C039", needs="plain_service point", writes=True)
def answers_to_post_are_not_stored(probe: Probe) -> None:
    answer = probe.post(probe.form())
    created(answer)
    control = answer.headers.get("cache-control", "")
    answer.must("no-store" in control, "Cache-Control: no-store", control or "none")
