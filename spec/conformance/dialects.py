"""Recognises the server's software by its habits. A report shows the habits as evidence."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from spec.conformance.answers import Answer, text_of
from spec.conformance.survey import Survey

_ENOUGH = 2
_HEX_CODE = re.compile(r"[0-9a-f]{24}")
Look = Callable[[Survey], bool]


@dataclass(frozen=True, slots=True)
class Habit:
    """A typical property of a software's answers or address. A `weight` of 2 means proof, 1 means a hint."""

    weight: int
    text: str
    shows: Look


@dataclass(frozen=True, slots=True)
class Dialect:
    """The recognised software; `name` is "" if none was recognised."""

    name: str = ""
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {'; '.join(self.evidence)}" if self.name else "not recognised"


def recognise(survey: Survey) -> Dialect:
    """The software with the most evidence, if that is at least one proof or two hints."""
    shown = {name: [habit for habit in habits if habit.shows(survey)] for name, habits in _HABITS.items()}
    best = max(shown, key=lambda name: _weight(shown[name]))
    if _weight(shown[best]) < _ENOUGH:
        return Dialect()
    return Dialect(best, tuple(habit.text for habit in shown[best]))


def _weight(habits: list[Habit]) -> int:
    return sum(habit.weight for habit in habits)


def _answers(survey: Survey) -> list[Answer]:
    return survey.probe.client.answers


def _url(survey: Survey) -> str:
    return survey.probe.target.base_url.lower()


def _host_is(*names: str) -> Look:
    return lambda survey: any(name in (urlsplit(_url(survey)).hostname or "") for name in names)


def _path_has(part: str) -> Look:
    return lambda survey: part in _url(survey)


def _header(name: str, pattern: str) -> Look:
    expression = re.compile(pattern, re.IGNORECASE)
    return lambda survey: any(expression.search(answer.headers.get(name, "")) for answer in _answers(survey))


def _body(pattern: bytes) -> Look:
    expression = re.compile(pattern)
    return lambda survey: any(expression.search(answer.content[:4000]) for answer in _answers(survey))


def _names(*names: str) -> Look:
    """Whether an answer has one of these names, in any case. Patterns that ignore case take ten times longer."""
    wanted = [name.encode() for name in names]

    def look(survey: Survey) -> bool:
        texts = (answer.content[:4000].lower() for answer in _answers(survey))
        return any(name in text for text in texts for name in wanted)

    return look


def _list_of(size: int) -> Look:
    return lambda survey: len(survey.requests) == size


def _member(name: str, inner: str = "") -> Look:
    """A habit: a listed request has the member `name`; with `inner`, this member has the member `inner`."""

    def habit(survey: Survey) -> bool:
        records = [record.get(name) for record in survey.requests]
        return any(
            value is not None and (not inner or (isinstance(value, dict) and inner in value)) for value in records
        )

    return habit


def _codes_are_hex(survey: Survey) -> bool:
    codes = [text_of(service, "service_code") for service in survey.services]
    return bool(codes) and all(_HEX_CODE.fullmatch(code) for code in codes)


def _elements_are_sorted(survey: Survey) -> bool:
    """Whether the elements of each service are sorted by name, as open311-adapter writes them."""
    names = [list(record) for record in survey.services]
    return bool(names) and all(each == sorted(each) and len(each) > 4 for each in names)


def _no_discovery(survey: Survey) -> bool:
    return not survey.probe.discovery_base


_HABITS: dict[str, tuple[Habit, ...]] = {
    "open311-server (this project)": (
        Habit(2, "the name open311-server in the Server header", _header("server", r"open311-server")),
        Habit(
            2,
            "the name open311-server in the header X-Open311-Server",
            _header("x-open311-server", r"open311-server"),
        ),
    ),
    "Connected Bits (Spot)": (
        Habit(2, "a host of Connected Bits", _host_is("spotmobile", "connectedbits", "spotreporters")),
        Habit(
            2,
            "the software's name in an answer",
            _names("connectedbits", "connected bits", "spotmobile", "spotreporters"),
        ),
        Habit(1, "service codes of 24 hexadecimal digits", _codes_are_hex),
        Habit(1, "fifty requests a page", _list_of(50)),
        Habit(1, "addresses of photos at Spot", _body(rb"spot[a-z-]*\.s3|cloudinary\.com/spot")),
    ),
    "SeeClickFix": (
        Habit(2, "a host of SeeClickFix", _host_is("seeclickfix.com")),
        Habit(2, "the software's name in an answer", _names("seeclickfix")),
        Habit(1, "twenty requests a page", _list_of(20)),
        Habit(1, "request ids as numbers", _body(rb'"service_request_id"\s*:\s*\d')),
    ),
    "FixMyStreet": (
        Habit(2, "a host of mySociety", _host_is("fixmystreet")),
        Habit(1, "JSON wrapped in its root name", _body(rb'^\s*\{"(services|service_requests|discovery)"')),
        Habit(1, "XML as application/xml", _header("content-type", r"application/xml")),
        Habit(1, "max_requests in discovery", _body(rb"max_requests")),
        Habit(2, "the member requestor_name", _member("requestor_name")),
        Habit(2, "the member interface_used", _member("interface_used")),
    ),
    "Mark-a-Spot": (
        Habit(2, "extensions named markaspot", _body(rb"markaspot")),
        Habit(1, "Drupal's header", _header("x-generator", r"drupal")),
        Habit(1, "the path georeport/v2", _path_has("/georeport/v2")),
        Habit(1, "a hundred requests a page", _list_of(100)),
    ),
    "CitySDK or Klarschiff": (
        Habit(2, "the path of CitySDK", _path_has("/citysdk")),
        Habit(1, 'type="array" in XML', _body(rb'type="array"')),
        Habit(2, "errors under the root error_messages", _body(rb"<error_messages")),
        Habit(
            1,
            "detailed_status among the extensions",
            _body(rb"detailed_status[\"'>:\s]+(RECEIVED|IN_PROCESS|PENDING|PROCESSED)"),
        ),
        Habit(
            1,
            "Klarschiff's types of report as keywords",
            _body(rb"keywords[\"'>:\s]+(problem|idee|idea|tip)[\"'<]"),
        ),
    ),
    "uReport": (
        Habit(2, "a host of Bloomington", _host_is("bloomington.in.gov")),
        Habit(2, "its fixed changeset", _body(rb"2012-09-18T15:37-05")),
        Habit(1, "PHP", _header("x-powered-by", r"php")),
        Habit(1, "request ids as numbers", _body(rb'"service_request_id"\s*:\s*\d')),
    ),
    "open311-adapter": (
        Habit(1, "no discovery", _no_discovery),
        Habit(1, "elements sorted by name", _elements_are_sorted),
        Habit(1, "booleans as words in JSON", _body(rb'"metadata"\s*:\s*"(true|false)"')),
    ),
}
