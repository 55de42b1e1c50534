"""Additional fields of a request, an extension: E1 to E6."""

from __future__ import annotations

from spec.conformance.answers import Answer, Record, UnmetNeedError, text_of
from spec.conformance.checks.post_attributes import questions
from spec.conformance.offers import beside, circle_around, circles_offered, distance_m, more_offered, rows
from spec.conformance.probe import Probe, created, moment_of, require, segment
from spec.conformance.registry import check

_FIELDS = ("extended_attributes", "notes", "attributes", "distance")
_EXTENDED = {
    *("detailed_status", "outcome", "channel", "closed_datetime", "department", "group", "areas", "media_urls"),
    "possible_duplicate_of",
}
_LISTS = ("areas", "media_urls")
_OFF_M = 1.5
"""The tolerance in metres for distances up to 100 m. This check uses a sphere; a server may use an ellipsoid."""


def _extra(records: list[Record]) -> list[list[str]]:
    """For each request, the names of its extension fields, in the order of the answer."""
    return [[name for name in record if name in _FIELDS] for record in records]


def _check_fields(answer: Answer, records: list[Record], *expected: str) -> None:
    wrong = [names for names in _extra(records) if names != list(expected)]
    answer.must(not wrong, f"{', '.join(expected) or 'no extensions'} in each", wrong[:1])


@check("E1", needs="open_request")
def fields_by_name(probe: Probe) -> None:
    more_offered(probe)
    single = f"requests/{segment(require(probe.prepared.open_request))}"
    for path in ("requests", single):
        for word in ("true", "all"):
            _check_fields(*rows(probe, ("extensions", word), path=path), *_FIELDS[:3])
        _check_fields(*rows(probe, ("extensions", "notes,extended_attributes"), path=path), *_FIELDS[:2])
        _check_fields(*rows(probe, ("extensions", "notes"), path=path), "notes")


@check("E2")
def fields_not_asked_for(probe: Probe) -> None:
    more_offered(probe)
    for word in ("false", ""):
        _check_fields(*rows(probe, ("extensions", word)))
    for answer in probe.both("requests", [("extensions", "no-such-field")]):
        answer.must_be(400).must_say("extensions")


_SOMETIMES = frozenset({"supporters", "origin", "via"})
"""Members that only a request with supporters, or one from another server, has."""


@check("E3")
def extended_attributes(probe: Probe) -> None:
    more_offered(probe)
    answer, records = rows(probe, ("extensions", "true"))
    for record in records:
        extended = record.get("extended_attributes")
        answer.must(isinstance(extended, dict), "extended_attributes, an object", extended)
        members = extended if isinstance(extended, dict) else {}
        usual = members.keys() - _SOMETIMES
        answer.must(usual == _EXTENDED, ", ".join(sorted(_EXTENDED)), ", ".join(sorted(members)))
        for name in _LISTS:
            answer.must(isinstance(members[name], list), f"{name}, a list", members[name])


@check("E4")
def notes(probe: Probe) -> None:
    more_offered(probe)
    answer, records = rows(probe, ("extensions", "true"))
    count = 0
    for record in records:
        items = [item for item in _list(record, "notes") if isinstance(item, dict)]
        times = [moment_of(text_of(item, "datetime")) for item in items]
        is_valid = all(times) and all(item.keys() == {"datetime", "type", "description"} for item in items)
        answer.must(is_valid, "datetime, type and description in each note", items)
        known = [moment for moment in times if moment]
        answer.must(known == sorted(known), "the oldest note first", [text_of(item, "datetime") for item in items])
        count += len(items)
    if not count:
        raise UnmetNeedError("no listed request has a note")


def _list(record: Record, name: str) -> list[object]:
    value = record.get(name)
    return list(value) if isinstance(value, list) else []


@check("E5", needs="rich_service point", writes=True)
def attributes(probe: Probe) -> None:
    """An answer that was sent as a key is returned with the question's text and the name of the key."""
    more_offered(probe)
    all_questions = questions(probe)
    question = all_questions.required()
    form = [*probe.form(require(probe.prepared.rich_service)), *all_questions.answers()]
    request_id = text_of(created(probe.post(form)), "service_request_id")
    answer, records = rows(probe, ("extensions", "attributes"), path=f"requests/{segment(request_id)}")
    items = [item for record in records for item in _list(record, "attributes") if isinstance(item, dict)]
    wrong = [item for item in items if item.keys() != {"code", "label", "value", "name"}]
    answer.must(not wrong, "code, label, value and name in each", wrong[:1])
    codes = [text_of(item, "code") for item in items]
    expected = [each.code for each in all_questions.all if each.code in codes]
    answer.must(codes == expected, "the order of the form", codes)
    if question.is_list:
        item = next((item for item in items if item["code"] == question.code), {})
        is_valid = item.get("value") == question.answer()[1] and text_of(item, "label") and text_of(item, "name")
        answer.must(is_valid, f"{question.code} with its text and the text of the key {question.answer()[1]}", item)


@check("E6", needs="open_request")
def distance(probe: Probe) -> None:
    more_offered(probe)
    circles_offered(probe)
    _check_fields(*rows(probe, ("extensions", "true")), *_FIELDS[:3])
    lat, long = beside(probe)
    answer, records = rows(probe, *circle_around(lat, long, 100), ("extensions", "true"))
    _check_fields(answer, records, *_FIELDS)
    for record in records:
        received, expected = record.get("distance"), distance_m(record, lat, long)
        is_near = isinstance(received, int | float) and abs(received - expected) <= _OFF_M
        answer.must(is_near, f"a distance of {expected:.1f} m", received)
