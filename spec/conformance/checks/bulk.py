"""Bulk and Inquiry: C286 to C291 and C294, and our rules for bulk: B1 to B7."""

from __future__ import annotations

import csv
from io import StringIO
from urllib.parse import urlencode

from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, ids_of, text_of
from spec.conformance.offers import records_in
from spec.conformance.probe import Probe, created, moment_of, require
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


def _bulk(probe: Probe, format: str, *params: tuple[str, str]) -> Answer:
    url = f"{require(probe.prepared.bulk_url)}.{format}"
    jurisdiction = probe.target.jurisdiction_id
    pairs = [*([("jurisdiction_id", jurisdiction)] if jurisdiction else []), *params]
    return probe.client.get(Call("GET", url + (f"?{urlencode(pairs)}" if pairs else "")))


def _rows(answer: Answer) -> list[dict[str, str]]:
    """The rows of the CSV. Raises DeviationError if the body is not CSV or a row lacks a column."""
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
    """Requests that are in the CSV and in the JSON list have the same texts in both."""
    answer = _bulk(probe, "csv").must_be(200)
    descriptions = {row["service_request_id"]: row["description"] for row in _rows(answer)}
    _, records = probe.listing()
    count = 0
    for record in records:
        text = text_of(record, "description")
        received = descriptions.get(text_of(record, "service_request_id"))
        if received is None or not any(mark in text for mark in ',"\n'):
            continue
        count += 1
        answer.must(received.replace("\r\n", "\n") == text, repr(text), repr(received))
    if not count:
        raise UnmetNeedError("no listed request has a comma, a quote or a line break in its description")


@check("C288", needs="bulk_url open_request")
def open_requests_have_no_closed_date(probe: Probe) -> None:
    answer = _bulk(probe, "csv").must_be(200)
    request_id = require(probe.prepared.open_request)
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
    is_valid = records and all("closed_datetime" in item for item in records)
    json.must(is_valid, "an array with closed_datetime in each item")


def _inquiry(probe: Probe) -> tuple[Answer, list[Record]]:
    answer = probe.client.get(Call("GET", f"{require(probe.prepared.inquiry_url)}/services/all.json")).must_be(200)
    data = answer.must_be_json()
    is_valid = isinstance(data, list) and data and all(isinstance(item, dict) for item in data)
    answer.must(is_valid, "a non-empty array of objects")
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
        raise UnmetNeedError("the bulk file does not contain the newest requests")
    answer.must(row["description"] == "=cmd()", "=cmd()", row["description"])


# --- Our own rules


def _items(probe: Probe, *params: tuple[str, str]) -> tuple[Answer, list[Record]]:
    """All requests in JSON. Raises DeviationError if the body is not a list of objects."""
    answer = _bulk(probe, "json", *params).must_be(200)
    return answer, records_in(answer)


@check("B1", needs="bulk_url ancient_request open_request")
def everything(probe: Probe) -> None:
    answer, records = _items(probe)
    for request_id in (require(probe.prepared.ancient_request), require(probe.prepared.open_request)):
        answer.must(request_id in ids_of(records), f"{request_id}, however old", "it is missing")
    times = [moment for record in records if (moment := moment_of(text_of(record, "requested_datetime")))]
    answer.must(
        times == sorted(times), "the oldest first", [text_of(item, "requested_datetime") for item in records]
    )
    answer, closed = _items(probe, ("status", "closed"))
    opened = [text_of(item, "service_request_id") for item in closed if not item.get("closed_datetime")]
    answer.must(len(closed) < len(records) and not opened, "closed requests only", opened or len(closed))
    answer, recent = _items(probe, ("start_date", probe.ago(200)), ("page_size", "1"), ("sort", "-requested"))
    old = [item for item in recent if text_of(item, "requested_datetime")[:10] < probe.ago(201)[:10]]
    answer.must(not old, "requests of the last 200 days", ids_of(old))
    answer.must(
        ids_of(recent) == ids_of(records)[-len(recent) :] != [],
        "all these requests, the oldest first",
        ids_of(recent),
    )


@check("B2", needs="bulk_url")
def csv_as_in_json(probe: Probe) -> None:
    """Every cell but closed_date has the value of the JSON, even if it looks like a formula."""
    answer = _bulk(probe, "csv").must_be(200)
    table = _rows(answer)
    wide = [row for row in table if len(row) != len(COLUMNS)]
    answer.must(not wide, f"{len(COLUMNS)} columns", wide[:1])
    answer.must(answer.body.endswith(b"\r\n"), "CRLF after the last row", repr(answer.body[-2:]))
    _, records = _items(probe)
    answer.must(len(table) == len(records), f"{len(records)} rows, as in JSON", len(table))
    for row, record in zip(table, records, strict=True):
        for name in set(COLUMNS) - {"closed_date"}:
            answer.must(_is_cell(row[name], record.get(name)), f"{name} {record.get(name)!r}", repr(row[name]))


def _is_cell(cell: str, value: object) -> bool:
    if isinstance(value, int | float):
        return bool(cell) and float(cell) == value
    return cell == ("" if value is None else value)


@check("B3", needs="bulk_url")
def closing_times(probe: Probe) -> None:
    answer = _bulk(probe, "csv").must_be(200)
    _, records = _items(probe)
    expected = {text_of(item, "service_request_id"): text_of(item, "closed_datetime") for item in records}
    received = {row["service_request_id"]: row["closed_date"] for row in _rows(answer)}
    answer.must(received == expected, f"closed_date as closed_datetime of JSON, {expected}", received)
    xml = _bulk(probe, "xml").must_be(200)
    items = list(xml.must_be_xml())
    closing_times = {
        item.findtext("service_request_id") or "": item.findtext("closed_datetime") or "" for item in items
    }
    xml.must(closing_times == expected, f"closed_datetime as in JSON, {expected}", closing_times)


@check("B4", needs="bulk_url")
def roots(probe: Probe) -> None:
    names = ["closed_datetime" if name == "closed_date" else name for name in COLUMNS]
    xml = _bulk(probe, "xml").must_be(200)
    root = xml.must_be_xml()
    others = {child.tag for child in root} - {"request"}
    xml.must(root.tag == "service_requests" and not others, "service_requests of request", f"<{root.tag}>")
    for item in root:
        tags = [child.tag for child in item]
        xml.must(tags == names, ", ".join(names), ", ".join(tags))
    json, records = _items(probe)
    for record in records:
        json.must(list(record) == names, ", ".join(names), ", ".join(record))
        json.must("" not in record.values(), "null where a value is not known", record)


@check("B5", needs="bulk_url")
def words_of_the_city(probe: Probe) -> None:
    answer = _bulk(probe, "csv").must_be(200)
    for row in _rows(answer):
        answer.must(row["status_description"], "a status_description in every row", "none")
        answer.must(not row["service_subtype"], "an empty service_subtype", row["service_subtype"])


@check("B6", needs="bulk_url")
def row_count(probe: Probe) -> None:
    sizes = {
        "csv": len(_rows(_bulk(probe, "csv").must_be(200))),
        "json": len(_items(probe)[1]),
        "xml": len(_bulk(probe, "xml").must_be(200).must_be_xml()),
    }
    for format, size in sizes.items():
        answer = _bulk(probe, format)
        total = answer.headers.get("x-total-count", "none")
        answer.must(total == str(size), f"X-Total-Count: {size}", total)


@check("B7", needs="bulk_url")
def validators(probe: Probe) -> None:
    for format in ("csv", "json", "xml"):
        answer = _bulk(probe, format).must_be(200)
        tag = answer.headers.get("etag", "none")
        answer.must(tag.startswith('"'), "a strong ETag", tag)
        probe.client.get(Call("GET", answer.call.url, (("If-None-Match", tag),))).must_be(304)
    closed, complete = _bulk(probe, "csv", ("status", "closed")), _bulk(probe, "csv")
    same = closed.headers.get("etag") == complete.headers.get("etag")
    closed.must(closed.body == complete.body or not same, "another ETag for other rows", closed.headers.get("etag"))
