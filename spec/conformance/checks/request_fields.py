"""Request fields: C217 to C235."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spec.conformance.answers import Answer, Record, UnmetNeedError, number_of, text_of
from spec.conformance.preparation import Closing
from spec.conformance.probe import Probe, created, only, require
from spec.conformance.registry import check
from spec.shapes import REQUEST

_FIELDS = tuple(REQUEST.members)
_NEVER_BLANK = (
    "service_request_id",
    "status",
    "service_name",
    "service_code",
    "requested_datetime",
    "updated_datetime",
)
_TIMES = ("requested_datetime", "updated_datetime", "expected_datetime")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")


def _lists(probe: Probe) -> Iterator[tuple[Answer, list[Record]]]:
    """The list without arguments in every format. Raises UnmetNeedError if it is empty."""
    for answer in probe.both("requests"):
        records = answer.records("requests")
        if not records:
            raise UnmetNeedError("no requests are listed")
        yield answer, records


def _records(probe: Probe) -> Iterator[tuple[Answer, Record]]:
    """Every request of the lists, and the open request by its id, in every format."""
    for answer, records in _lists(probe):
        yield from ((answer, record) for record in records)
    if probe.prepared.open_request:
        for format in probe.formats:
            answer = probe.request(probe.prepared.open_request, format)
            yield answer, only(answer)


@check("C217")
def never_blank(probe: Probe) -> None:
    for answer, record in _records(probe):
        blank = [name for name in _NEVER_BLANK if not text_of(record, name).strip()]
        answer.must(
            not blank,
            f"{', '.join(_NEVER_BLANK)}, none blank",
            f"no {', '.join(blank)} in {record.get('service_request_id')}",
        )


@check("C218")
def status_is_known(probe: Probe) -> None:
    for answer, record in _records(probe):
        answer.must(record.get("status") in ("open", "closed"), "open or closed", record.get("status"))


@check("C219", needs="in_progress_request")
def in_progress_is_open(probe: Probe) -> None:
    for format in probe.formats:
        answer = probe.request(require(probe.prepared.in_progress_request), format)
        answer.must(only(answer).get("status") == "open", "open", only(answer).get("status"))


@check("C220")
def times_have_a_zone(probe: Probe) -> None:
    for answer, record in _records(probe):
        for name in _TIMES:
            text = text_of(record, name)
            answer.must(not text or _TIME.fullmatch(text), "YYYY-MM-DDTHH:MM:SS and a zone", f"{name} {text}")


@check("C221")
def times_have_no_fraction(probe: Probe) -> None:
    for answer, record in _records(probe):
        for name in _TIMES:
            answer.must("." not in text_of(record, name), "whole seconds", f"{name} {record.get(name)}")


def _updated_when_closed(probe: Probe, closing: Closing) -> None:
    for format in probe.formats:
        answer = probe.request(closing.request_id, format)
        received = text_of(only(answer), "updated_datetime")
        answer.must(received == closing.closed_datetime, f"updated_datetime {closing.closed_datetime}", received)


@check("C222", needs="closing")
def updated_is_the_closing_time(probe: Probe) -> None:
    _updated_when_closed(probe, require(probe.prepared.closing))


@check("C223", needs="commented_closing")
def comments_do_not_change_it(probe: Probe) -> None:
    _updated_when_closed(probe, require(probe.prepared.commented_closing))


@check("C224")
def coordinates_are_numbers(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.get("requests.json")
    for record in answer.records("requests"):
        for name in ("lat", "long"):
            value = record.get(name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            answer.must(value is None or number, f"{name} a number or null", repr(value))


@check("C225", needs="pointless_request")
def no_point(probe: Probe) -> None:
    for format in probe.formats:
        answer = probe.request(require(probe.prepared.pointless_request), format)
        record = only(answer)
        for name in ("lat", "long"):
            is_null = name in record and record[name] is None
            answer.must(is_null, f"{name} null or empty", repr(record.get(name, "no such field")))


@check("C226", needs="plain_service point", writes=True)
def precision(probe: Probe) -> None:
    sent = require(probe.prepared.point).lat + 0.000000123
    answer = probe.post(probe.form(lat=f"{sent:.9f}"))
    received = number_of(probe.read_back(created(answer)), "lat")
    is_close = received is not None and abs(received - sent) <= 0.000001
    answer.must(is_close, f"lat {sent:.9f} when read back", received)


def _texts(probe: Probe, *names: str) -> Iterator[tuple[Answer, str, str]]:
    """The texts of these elements in the XML list, not converted."""
    answer = probe.get("requests.xml")
    if not answer.succeeded:
        raise UnmetNeedError("requests.xml has no list (see C181)")
    for request in answer.document().root:
        for child in request:
            if child.tag in names and not len(child):
                yield answer, child.tag, child.text or ""


@check("C227")
def plain_decimals(probe: Probe) -> None:
    for answer, name, text in _texts(probe, "lat", "long"):
        answer.must(not text.strip() or _DECIMAL.fullmatch(text.strip()), "a plain decimal", f"{name} {text}")


@check("C228", needs="zipcode_request")
def zipcode(probe: Probe) -> None:
    for format in probe.formats:
        answer = probe.request(require(probe.prepared.zipcode_request), format)
        received = only(answer).get("zipcode")
        answer.must(
            isinstance(received, str) and received.startswith("0"), "a string with its leading zero", repr(received)
        )


@check("C229", needs="plain_service point", writes=True)
def address(probe: Probe) -> None:
    answer = probe.post(probe.form(address_string="5 Mill Lane, Riverton"))
    received = probe.read_back(created(answer)).get("address")
    answer.must(received == "5 Mill Lane, Riverton", "5 Mill Lane, Riverton as address when read back", received)


@check("C230")
def every_field_is_there(probe: Probe) -> None:
    for answer, record in _records(probe):
        missing = [name for name in _FIELDS if name not in record]
        answer.must(
            not missing, "every standard field", f"no {', '.join(missing)} in {record.get('service_request_id')}"
        )


@check("C231")
def order_of_elements(probe: Probe) -> None:
    answer = probe.get("requests.xml")
    for request in answer.document().root:
        names = [child.tag for child in request]
        standard = [name for name in _FIELDS if name in names]
        answer.must(names[: len(standard)] == standard, ", ".join(standard), ", ".join(names))


@check("C232")
def no_padding(probe: Probe) -> None:
    plain = [name for name in _FIELDS if not getattr(REQUEST.members[name], "free", False)]
    for answer, name, text in _texts(probe, *plain):
        answer.must(text == text.strip(), f"{name} without blanks around it", repr(text))


@check("C233", needs="open_request")
def list_and_single_agree(probe: Probe) -> None:
    request_id = require(probe.prepared.open_request)
    for format in probe.formats:
        listed = probe.get(f"requests.{format}", [("service_request_id", request_id)])
        single = probe.request(request_id, format)
        pair = [{name: only(answer).get(name) for name in _FIELDS} for answer in (listed, single)]
        differing = [name for name in _FIELDS if pair[0][name] != pair[1][name]]
        single.must(not differing, "the values of the list", f"other values for {', '.join(differing)}")


@check("C234")
def one_media_url(probe: Probe) -> None:
    for answer, record in _records(probe):
        url = record.get("media_url")
        is_valid = url is None or (isinstance(url, str) and not re.search(r"[\s,]http|\s", url))
        answer.must(is_valid, "one address without blanks, or null", repr(url))


@check("C235", needs="retired")
def retired_service_keeps_its_name(probe: Probe) -> None:
    retired = require(probe.prepared.retired)
    expected = (retired.service_code, retired.service_name)
    for format in probe.formats:
        answer = probe.request(retired.request_id, format).must_be(200)
        record = only(answer)
        received = (text_of(record, "service_code"), text_of(record, "service_name"))
        answer.must(received == expected, f"{expected[0]}, {expected[1]}", f"{received[0]}, {received[1]}")
