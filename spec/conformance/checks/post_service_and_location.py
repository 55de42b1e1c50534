"""Creating requests, key and jurisdiction, service and location: C094 to C120. All checks write."""

from __future__ import annotations

from collections.abc import Iterable

from spec.conformance.answers import UNKNOWN, Answer, Format, UnmetNeedError, ids_of, number_of, text_of
from spec.conformance.probe import Probe, created, require
from spec.conformance.registry import check

_NEEDS = "plain_service point"


def _posts(probe: Probe, fields: Iterable[tuple[str, str]]) -> Iterable[Answer]:
    """The answers to the same form, POSTed in every format."""
    form = list(fields)
    return [probe.post(form, format) for format in probe.formats]


def _is_in(answer: Answer, format: Format) -> bool:
    start = answer.body.lstrip()[:1]
    return format in answer.content_type and (start == b"<") == (format == "xml")


# --- Key


@check("C094", needs=_NEEDS, writes=True)
def no_key(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(without=["api_key"])):
        answer.must_be(403).must_say("code", "description") if answer.format == "xml" else answer.must_be(403)


@check("C095", needs=_NEEDS, writes=True)
def wrong_key(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(api_key=UNKNOWN)):
        answer.must_be(403)


@check("C096", needs=_NEEDS, writes=True)
def blank_key(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(api_key=" ")):
        answer.must_be(403)


@check("C097", needs=_NEEDS, writes=True)
def key_comes_first(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(api_key=UNKNOWN, without=["service_code"])):
        answer.must_be(403)
        answer.must("service_code" not in answer.text, "nothing about service_code")


@check("C098", needs=_NEEDS, writes=True)
def key_in_query(probe: Probe) -> None:
    created(probe.post(probe.form(without=["api_key"]), query=[("api_key", probe.target.api_key)]))


@check("C099", needs=_NEEDS, writes=True)
def key_as_bearer(probe: Probe) -> None:
    headers = {"Authorization": f"Bearer {probe.target.api_key}"}
    created(probe.post(probe.form(without=["api_key"]), headers=headers))


@check("C100", needs=_NEEDS, writes=True)
def key_in_header(probe: Probe) -> None:
    headers = {"X-Api-Key": probe.target.api_key}
    created(probe.post(probe.form(without=["api_key"]), headers=headers))


@check("C101", needs=f"{_NEEDS} test_key", writes=True)
def test_key_creates_no_real_request(probe: Probe) -> None:
    """The server refuses a test key, or keeps its request out of the list."""
    answer = probe.post(probe.form(api_key=require(probe.prepared.test_key)))
    if answer.status == 403:
        return
    request_id = text_of(created(answer), "service_request_id")
    listed = probe.get(f"requests.{probe.formats[-1]}", fresh=True)
    listed.must(request_id not in ids_of(listed.records("requests")), f"no {request_id}", "it is listed")


@check("C102", needs=_NEEDS, writes=True)
def refusal_in_the_format_asked_for(probe: Probe) -> None:
    for format in probe.formats:
        answer = probe.post(probe.form(api_key=UNKNOWN), format)
        answer.must(_is_in(answer, format), f"an errors body in {format.upper()}")


# --- Service


@check("C103", needs=_NEEDS, writes=True)
def no_service(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(without=["service_code"])):
        answer.must_be(400).must_say("service_code")


@check("C104", needs=_NEEDS, writes=True)
def unknown_service(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(UNKNOWN)):
        answer.must_be(404).must_say("service_code")


@check("C105", needs=f"{_NEEDS} retired", writes=True)
def retired_service(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(require(probe.prepared.retired).service_code)):
        answer.must_be(404)


# --- Location

_HERE = ("lat", "long")


@check("C106", needs=_NEEDS, writes=True)
def only_a_point(probe: Probe) -> None:
    for answer in _posts(probe, probe.form()):
        created(answer)


@check("C107", needs=_NEEDS, writes=True)
def only_an_address(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(without=_HERE, address_string="5 Mill Lane")):
        created(answer)


@check("C108", needs=_NEEDS, writes=True)
def only_an_address_id(probe: Probe) -> None:
    for answer in _posts(probe, probe.form(without=_HERE, address_id="0040071")):
        created(answer)


def _check_refused(probe: Probe, *, without: Iterable[str] = (), **fields: str) -> None:
    for answer in _posts(probe, probe.form(without=without, **fields)):
        answer.must_be(400)


@check("C109", needs=_NEEDS, writes=True)
def no_location(probe: Probe) -> None:
    _check_refused(probe, without=_HERE)


@check("C110", needs=_NEEDS, writes=True)
def half_a_point(probe: Probe) -> None:
    _check_refused(probe, without=["long"])


@check("C111", needs=_NEEDS, writes=True)
def half_a_point_with_an_address(probe: Probe) -> None:
    _check_refused(probe, without=["long"], address_string="5 Mill Lane")


@check("C112", needs=_NEEDS, writes=True)
def lat_beyond_the_pole(probe: Probe) -> None:
    _check_refused(probe, lat="91")


@check("C113", needs=_NEEDS, writes=True)
def long_beyond_the_date_line(probe: Probe) -> None:
    _check_refused(probe, long="-181")


@check("C114", needs=_NEEDS, writes=True)
def lat_with_letters(probe: Probe) -> None:
    _check_refused(probe, lat="abc")


@check("C115", needs=_NEEDS, writes=True)
def lat_with_a_comma(probe: Probe) -> None:
    _check_refused(probe, lat="60,5")


@check("C116", needs=_NEEDS, writes=True)
def lat_not_a_number(probe: Probe) -> None:
    _check_refused(probe, lat="NaN")


@check("C117", needs=_NEEDS, writes=True)
def point_zero(probe: Probe) -> None:
    answer = probe.post(probe.form(lat="0", long="0"))
    if answer.status == 400 and probe.prepared.outside_point:
        return
    if answer.status == 400:
        raise UnmetNeedError("the deployment may set bounds: the point 0, 0 is refused")
    receipt = created(answer)
    record = probe.read_back(receipt)
    zero = number_of(record, "lat") == 0 == number_of(record, "long")
    answer.must(zero, "lat 0 and long 0 when read back", f"{record.get('lat')}, {record.get('long')}")


@check("C118", needs=_NEEDS, writes=True)
def point_and_address(probe: Probe) -> None:
    point = require(probe.prepared.point)
    for answer in _posts(probe, probe.form(address_string="5 Mill Lane")):
        record = probe.read_back(created(answer), answer.format)
        received = (text_of(record, "lat"), text_of(record, "long"), text_of(record, "address"))
        answer.must(all(received), f"{point.lat}, {point.long} and the address when read back", received)


@check("C119", needs=f"{_NEEDS} outside_point", writes=True)
def point_out_of_bounds(probe: Probe) -> None:
    point = require(probe.prepared.outside_point)
    _check_refused(probe, lat=str(point.lat), long=str(point.long))


@check("C120", needs=_NEEDS, writes=True)
def blank_address(probe: Probe) -> None:
    _check_refused(probe, without=_HERE, address_string=" ")
