"""Checks of a submission against the catalogue, the city and the operator's settings (A04, A09, A17, A59)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from open311.domain.attributes import Answer, AnswerPolicy, check_answers, unasked_answers, unknown_codes
from open311.domain.carrying import carry_sent
from open311.domain.forms import FormFiller, Remark
from open311.domain.places import Place, read_place
from open311.domain.requests import MAX_DESCRIPTION_CHARACTERS, Submission
from open311.domain.routing import Draft
from open311.domain.services import Service
from open311.errors import Invalid, Problem
from open311.observe import logger
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from schemas.texts import Message, tell

log = logger(__name__)

MAX_URL_CHARACTERS = 2_000
MAX_FIELD_CHARACTERS = 500
PLACE_FIELDS = ("lat", "long", "address_string", "address_id")
NO_URL = tell("is not a URL; send an http or https address.")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft that has passed all checks.

    is_outside  whether the point lies outside the city; stored in the record and not used for routing
    is_offered  whether the service is offered at the point
    unknown     codes of sent attributes that are not in the service's definition and are not kept
    kept        answers to attributes that are not in the service's definition; they are kept for staff
    put_aside   answers to questions that are not asked; they are kept for staff
    replaced    the code that was sent, if another service has replaced its service; "" if none has
    remarks     what the caller is told about answers
    candidates  who may be responsible for a point near a border, the city first; found after the check
    """

    draft: Draft
    is_outside: bool
    is_offered: bool
    unknown: tuple[str, ...] = ()
    kept: tuple[Answer, ...] = ()
    put_aside: tuple[Answer, ...] = ()
    replaced: str = ""
    remarks: tuple[Remark, ...] = ()
    candidates: tuple[str, ...] = ()


def _services(
    jurisdiction: Jurisdiction, code: str, problems: Sequence[Problem], now: datetime, *, is_staff: bool
) -> tuple[Service, Service]:
    """The service with this code, and the service that gets the request: the same one, or its successor.

    Raises Invalid with all problems if the code is missing (A59), NotFound if it is unknown or not offered now, and
    Forbidden if it is only for staff.
    """
    try:
        named = jurisdiction.require_service(code)
    except Invalid as error:
        # If two codes were sent, `problems` already says so. Then do not also report that the code is missing.
        faulty = {problem.field for problem in problems}
        raise Invalid.of([*(one for one in error.problems if one.field not in faulty), *problems]) from None
    if jurisdiction.is_ordinary(named):
        return named, named
    return named, jurisdiction.require_offered(code, now, is_staff=is_staff)


def check_submission(
    platform: Platform,
    submission: Submission,
    jurisdiction: Jurisdiction,
    now: datetime,
    earlier: tuple[Problem, ...],
    *,
    is_staff: bool = False,
) -> Checked:
    """Check a submission against the catalogue and the settings. Raises Invalid with all problems at once (A59).

    is_staff  whether the caller may also report to services that are only for staff
    Raises also NotFound and Forbidden, see `Jurisdiction.require_offered`.
    """
    problems = list(earlier)
    place, found = read_place(
        lat=submission.lat,
        long=submission.long,
        address=submission.address_string,
        address_id=submission.address_id,
    )
    # A part of the place that could not be parsed is empty here. So do not also report that it is missing.
    is_unread = any(problem.field in PLACE_FIELDS for problem in earlier)
    problems += [problem for problem in found if not is_unread or getattr(submission, problem.field)]
    is_outside = place.point is not None and not jurisdiction.covers(*place.point)
    if is_outside and jurisdiction.outside == "refuse":
        fault = tell("the point lies outside {city}; report it to the city of that point.", city=jurisdiction.name)
        problems.append(Problem("lat", fault))
    problems += _text_problems(platform, submission)
    named, service = _services(jurisdiction, submission.service_code, problems, now, is_staff=is_staff)
    sent: Mapping[str, Sequence[str]] = dict(submission.attributes)
    filler = None
    if not jurisdiction.is_ordinary(named):
        filler = _filler(jurisdiction, place, now)
        sent = _carried(named, service, sent, filler)
    is_offered = place.point is None or is_outside or jurisdiction.offers(service, place.point)
    if not is_offered and jurisdiction.outside == "refuse":
        problems.append(Problem("lat", _not_offered(service)))
    answers, found = check_answers(service, sent, _policy(platform, jurisdiction), filler)
    problems += found
    draft = Draft(
        service=service, place=place, answers=answers, description=submission.description, requested_at=now
    )
    if not problems:
        problems += _own_problems(jurisdiction, draft)
    if problems:
        raise Invalid.of(problems)
    kept = unasked_answers(service, sent) if jurisdiction.unknown_attributes == "keep" else ()
    put_aside = (Answer(code, values, is_asked=False) for code, values in (filler.kept if filler else {}).items())
    kept_codes = {answer.code for answer in kept}
    return Checked(
        draft,
        is_outside,
        is_offered,
        unknown=tuple(code for code in unknown_codes(service, sent) if code not in kept_codes),
        kept=kept,
        put_aside=tuple(put_aside),
        replaced=named.code if named is not service else "",
        remarks=tuple(filler.remarks) if filler else (),
    )


def _carried(
    named: Service, service: Service, sent: Mapping[str, Sequence[str]], filler: FormFiller
) -> Mapping[str, Sequence[str]]:
    """What was sent for one service, as answers to the questions of the service that has replaced it."""
    if named is service:
        return sent
    return carry_sent(named, service, sent, filler)


def _filler(jurisdiction: Jurisdiction, place: Place, now: datetime) -> FormFiller:
    return FormFiller(
        place=place,
        received=now.astimezone(jurisdiction.zone),
        layers=jurisdiction.layers,
        areas=jurisdiction.areas_at,
        keeps=jurisdiction.unknown_attributes == "keep",
    )


def _not_offered(service: Service) -> Message:
    return tell(
        "the service {name!r} is not offered at this point; send another service_code or another point.",
        name=service.name,
    )


def _own_problems(jurisdiction: Jurisdiction, draft: Draft) -> list[Problem]:
    try:
        return jurisdiction.check(draft)
    except Exception:  # a plugin may raise anything; the request is accepted all the same
        log.exception("checking failed", jurisdiction=jurisdiction.id, service=draft.service.code)
        return []


def _policy(platform: Platform, jurisdiction: Jurisdiction) -> AnswerPolicy:
    return AnswerPolicy(
        zone=jurisdiction.zone,
        refuse_unknown=platform.settings.refuse_unknown_attributes,
        accept_labels=platform.settings.accept_value_names,
    )


def _text_problems(platform: Platform, submission: Submission) -> Iterator[Problem]:
    if len(submission.description) > MAX_DESCRIPTION_CHARACTERS:
        yield Problem("description", _too_long(submission.description, MAX_DESCRIPTION_CHARACTERS))
    for url in submission.media_urls:
        fault = media_url_fault(url)
        if fault:
            yield Problem("media_url", fault)
    email = submission.reporter.email
    if email and platform.settings.check_email:
        yield from email_problems(email)
    fields = {
        "address_string": submission.address_string,
        "address_id": submission.address_id,
        "email": email,
        "first_name": submission.reporter.first_name,
        "last_name": submission.reporter.last_name,
        "phone": submission.reporter.phone,
        "device_id": submission.reporter.device_id,
        "account_id": submission.reporter.account_id,
        "client_request_id": submission.client_request_id,
    }
    yield from field_problems(fields)


def email_problems(email: str) -> Iterator[Problem]:
    """A problem if a text is no email address."""
    if not _EMAIL.fullmatch(email):
        yield Problem("email", tell("is not an email address; correct it or leave it out."))


def field_problems(fields: Mapping[str, str]) -> Iterator[Problem]:
    """A problem for each field that has more than MAX_FIELD_CHARACTERS characters."""
    for name, value in fields.items():
        if len(value) > MAX_FIELD_CHARACTERS:
            yield Problem(name, _too_long(value, MAX_FIELD_CHARACTERS))


def _too_long(value: str, most: int) -> Message:
    return tell("has {count} characters; {most} are allowed.", count=len(value), most=most)


def media_url_fault(url: str) -> Message | None:
    """What is wrong with a media_url; None if nothing is.

    Clients fetch the URL, so it must be http or https, without credentials, and not on a private host (A17).
    """
    if len(url) > MAX_URL_CHARACTERS:
        return tell("is longer than {most} characters.", most=MAX_URL_CHARACTERS)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  # raises if the port is not a number
    except ValueError:
        return NO_URL
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s<>\"]", url):
        return NO_URL
    if parts.username is not None:
        return tell("holds a user name; send an address without one.")
    return tell("leads to a private address; send a public one.") if _is_private(host) else None


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        # Browsers read 127.1, 0177.0.0.1 and 0x7f.1 as addresses; the last label of a name is never a number.
        is_number = re.fullmatch(r"\d+|0x[0-9a-f]*", name.rpartition(".")[2])
        return "." not in name or bool(is_number) or name.endswith((".localhost", ".local", ".internal"))
