"""Answers to a service's questions, checked against its definition (A07 to A10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from open311.domain.forms import FormFiller
from open311.domain.services import Attribute, Datatype, Service
from open311.domain.text import clean_text, is_single_line
from open311.errors import Problem
from schemas.texts import Message, tell
from schemas.values import FORM, NotAnInstant, parse_instant

MAX_ANSWER_CHARACTERS = 4_000
MAX_UNASKED = 50
"""At most this many attributes of a request are kept although its service does not ask for them."""
MAX_CODE_CHARACTERS = 200

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """The reporter's answer to one question.

    values    one value, or several keys of a multivaluelist; if `is_asked` is False, all values that were sent
    is_asked  False for an attribute that the service did not ask for: kept for staff, and never public, even if
              the service asks for it later
    """

    code: str
    values: tuple[str, ...]
    is_asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPolicy:
    """How strictly answers are checked.

    zone            the time zone of datetimes that have no zone
    refuse_unknown  whether an answer to an unknown attribute is an error
    accept_labels   whether a list answer may be a value's name instead of its key
    """

    zone: tzinfo
    refuse_unknown: bool = False
    accept_labels: bool = False


def check_answers(
    service: Service,
    sent: Mapping[str, Sequence[str]],
    policy: AnswerPolicy,
    filler: FormFiller | None = None,
) -> tuple[tuple[Answer, ...], list[Problem]]:
    """The valid answers, in the definition's order, and a problem for each fault.

    sent    attribute code -> the values as sent; blank values are ignored
    filler  completes the answers of a POST; None to treat all attributes as plain ones, as an import does
    Every problem's text starts with the attribute's code, as clients of the app Spot expect (A09).
    """
    answers: list[Answer] = []
    problems: list[Problem] = []
    for attribute in service.attributes:
        if not attribute.variable:
            continue
        values = tuple(value for value in map(tidy, sent.get(attribute.code, ())) if value)
        if filler is not None and not attribute.is_plain:
            completed = filler.complete(attribute, values, {answer.code: answer.values for answer in answers})
            if completed is None:
                continue
            values = completed
        faults = list(_problems(attribute, values, policy))
        problems += faults
        if values and not faults:
            answers.append(Answer(attribute.code, _canonical(attribute, values, policy)))
    if filler is not None:
        problems += (
            Problem("", tell("{code} {fault}.", code=fault.code, fault=fault.text)) for fault in filler.faults
        )
    if policy.refuse_unknown:
        problems += (
            Problem(
                "",
                tell(
                    "{code} is not an attribute of {service}; leave it out.", code=code[:60], service=service.code
                ),
            )
            for code in unknown_codes(service, sent)
        )
    return tuple(answers), problems


def tidy(value: str) -> str:
    """A value as it is stored; "" for a blank one."""
    return clean_text(value).strip()


def _problems(attribute: Attribute, values: tuple[str, ...], policy: AnswerPolicy) -> Iterator[Problem]:
    if not values:
        if attribute.required:
            yield _problem(attribute, tell("required; answer it as attribute[{code}]", code=attribute.code))
        return
    if len(values) > 1 and attribute.datatype is not Datatype.MULTIVALUELIST:
        yield _problem(attribute, tell("takes one value, but {count} were sent", count=len(values)))
        return
    for value in values:
        fault = value_fault(attribute, value, policy)
        if fault:
            yield _problem(attribute, fault)


def value_fault(attribute: Attribute, value: str, policy: AnswerPolicy) -> Message | None:
    """What is wrong with one value; None if nothing is."""
    if len(value) > MAX_ANSWER_CHARACTERS:
        return tell("is longer than {most} characters; shorten it", most=MAX_ANSWER_CHARACTERS)
    if attribute.datatype.is_list:
        return None if _key(attribute, value, policy) is not None else _list_fault(attribute, value)
    if attribute.datatype is Datatype.STRING and not is_single_line(value):
        return tell("must be a single line; send the text without line breaks")
    if attribute.datatype is Datatype.NUMBER and not _NUMBER.fullmatch(value):
        return tell("{value!r} is not a number; send digits with a decimal point, such as 1.5", value=value[:40])
    if attribute.datatype is Datatype.DATETIME:
        try:
            parse_instant(value, policy.zone)
        except NotAnInstant:
            return tell("{value!r} is not a date and time; {form}", value=value[:40], form=FORM)
    return None


def _list_fault(attribute: Attribute, value: str) -> Message:
    keys = ", ".join(choice.key for choice in attribute.values[:12])
    more = ", …" if len(attribute.values) > 12 else ""
    return tell("has no key {value!r}; send one of: {keys}", value=value[:40], keys=keys + more)


def _key(attribute: Attribute, value: str, policy: AnswerPolicy) -> str | None:
    for choice in attribute.values:
        if value == choice.key or (policy.accept_labels and value == choice.name):
            return choice.key
    return None


def _canonical(attribute: Attribute, values: tuple[str, ...], policy: AnswerPolicy) -> tuple[str, ...]:
    """The values to store.

    For a list: its keys in the order sent, without repeats. Otherwise: the values as they are.
    """
    if not attribute.datatype.is_list:
        return values
    keys = (_key(attribute, value, policy) for value in values)
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _problem(attribute: Attribute, fault: Message) -> Problem:
    """A problem in the form that clients of Spot expect: the message is the code, a blank and the fault (A09)."""
    return Problem("", tell("{code} {fault}.", code=attribute.code, fault=fault))


def unknown_codes(service: Service, sent: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The sent codes that have a value and that the service does not define."""
    known = {attribute.code for attribute in service.attributes}
    yield from (code for code, values in sent.items() if code not in known and any(map(tidy, values)))


def unasked_answers(service: Service | None, sent: Mapping[str, Sequence[str]]) -> tuple[Answer, ...]:
    """The answers to attributes that the service does not ask for. They are kept for staff.

    service  None for a service that the catalogue does not have, which asks for nothing
    Odd or long codes, long values, and all attributes after the first MAX_UNASKED are left out.
    """
    asked = {attribute.code for attribute in service.attributes} if service else set()
    found: list[Answer] = []
    for code, values in sent.items():
        texts = tuple(text for text in map(tidy, values) if text)
        is_short = len(code) <= MAX_CODE_CHARACTERS and sum(map(len, texts)) <= MAX_ANSWER_CHARACTERS
        if code not in asked and texts and is_short and clean_text(code) == code:
            found.append(Answer(code, texts, is_asked=False))
    return tuple(found[:MAX_UNASKED])
