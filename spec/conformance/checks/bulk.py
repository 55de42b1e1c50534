"""Bulk and Inquiry: C286 to C291, and C294."""

from __future__ import annotations

import csv
from io import StringIO

from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, text_of
from spec.conformance.probe import Probe, created, given, moment_of
from spec.conformance.registry import check

COLUMNS = (
    "service_request_id",
    "requested_datetime",
    "updated_datetime",
    "closed_date",
    "status_description",
    "status_notes",
    "source",
    "service_name",
    "service_subtype",
    "description",
    "agency_responsible",
    "address",
    "lat",
    "long",
)


def _bulk(probe: Probe, format: str) -> Answer:
    url = f"{given(probe.prepared.bulk_url)}.{format}"
    jurisdiction = probe.target.jurisdiction_id
    return probe.client.get(Call("GET", url + (f"?jurisdiction_id={jurisdiction}" if jurisdiction else "")))


def _rows(answer: Answer) -> list[dict[str, str]]:
    """The rows, with every column. Raises DeviationError when the file is no such CSV."""
    try:
        rows = list(csv.DictReader(StringIO(answer.body.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        answer.fail("CSV in UTF-8", f"{answer.content_type}, {error}")
    short = [row for row in rows if any(row.get(name) is None for name in COLUMNS)]
    answer.must(not short, f"the columns {', '.join(COLUMNS)} in every row")
    return rows


@check("C286", needs="bulk_url")
def csv_form(probe: Probe) -> None:
    answer = _bulk(probe, "csv").must_be(200)
    media_type = answer.content_type.lower().replace(" ", "")
    answer.must(media_type.startswith("text/csv;charset=utf-8"), "text/csv; charset=utf-8", answer.content_type)
    first = answer.text.partition("\r\n")[0]
    answer.must(first.split(",")[: len(COLUMNS)] == list(COLUMNS), ",".join(COLUMNS), first)


@check("C287", needs="bulk_url")
def csv_quoting(probe: Probe) -> None:
    """The texts of the CSV are those of the JSON list, for the requests that are in both."""
    answer = _bulk(probe, "csv").must_be(200)
    descriptions = {row["service_request_id"]: row["description"] for row in _rows(answer)}
    _, records = probe.listing()
    tried = 0
    for record in records:
        text = text_of(record, "description")
        came = descriptions.get(text_of(record, "service_request_id"))
        if came is None or not any(mark in text for mark in ',"\n'):
            continue
        tried += 1
        answer.must(came.replace("\r\n", "\n") == text, repr(text), repr(came))
    if not tried:
        raise UnmetNeedError("no listed request has a comma, a quote or a line break in its description")


@check("C288", needs="bulk_url open_request")
def open_requests_have_no_closed_date(probe: Probe) -> None:
    answer = _bulk(probe, "csv").must_be(200)
    request_id = given(probe.prepared.open_request)
    row = next((row for row in _rows(answer) if row["service_request_id"] == request_id), None)
    if row is None:
        raise UnmetNeedError("the open request is not in the bulk file")
    answer.must(row["closed_date"] == "", "an empty closed_date", row["closed_date"])


@check("C289", needs="bulk_url")
def other_formats(probe: Probe) -> None:
    xml = _bulk(probe, "xml").must_be(200)
    xml.must(xml.must_be_xml().find(".//closed_datetime") is not None, "closed_datetime")
    json = _bulk(probe, "json").must_be(200)
    data = json.must_be_json()
    records = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    sound = records and all("closed_datetime" in item for item in records)
    json.must(sound, "an array with closed_datetime in each item")


def _inquiry(probe: Probe) -> tuple[Answer, list[Record]]:
    answer = probe.client.get(Call("GET", f"{given(probe.prepared.inquiry_url)}/services/all.json")).must_be(200)
    data = answer.must_be_json()
    sound = isinstance(data, list) and data and all(isinstance(item, dict) for item in data)
    answer.must(sound, "a non-empty array of objects")
    return answer, data


@check("C290", needs="inquiry_url")
def inquiry_services(probe: Probe) -> None:
    answer, items = _inquiry(probe)
    names = {"id", "service_name", "expiration", "brief_description"}
    answer.must(all(names <= set(item) for item in items), ", ".join(sorted(names)))


@check("C291", needs="inquiry_url")
def inquiry_expiration(probe: Probe) -> None:
    answer, items = _inquiry(probe)
    wrong = [text_of(item, "expiration") for item in items if not moment_of(text_of(item, "expiration"))]
    answer.must(not wrong, "ISO 8601 times", wrong[:1])


@check("C294", needs="bulk_url plain_service point", writes=True)
def formulas(probe: Probe) -> None:
    receipt = created(probe.post(probe.form(description="=cmd()")))
    request_id = text_of(receipt, "service_request_id")
    answer = probe.client.send(_bulk(probe, "csv").call)
    row = next((row for row in _rows(answer) if row["service_request_id"] == request_id), None)
    if row is None:
        raise UnmetNeedError("the bulk file does not hold the newest requests")
    answer.must(row["description"] == "=cmd()", "=cmd()", row["description"])
