"""People who use apps say "me too" about requests (spec/extensions.md, Z1 to Z6)."""

from __future__ import annotations

from typing import Any

from open311.domain.supporters import Supporter, SupporterKind
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.formats import document, shape_of
from open311.operations.intake.check_submission import email_problems, field_problems
from open311.operations.workflow import supporting
from open311.operations.workflow.supporting import Support
from open311.web.access import API_KEY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.gate import limit_device
from open311.web.surfaces import GEOREPORT
from schemas.support import SupporterArguments, SupportSchema
from schemas.texts import tell

_SHAPE = shape_of(SupportSchema)
_SHARED: dict[str, Any] = {
    "reads": SupporterArguments,
    "access": API_KEY,
    "answers": SupportSchema,
    "method": "POST",
    "is_extension": True,
    "errors": (404, 409),
}
_OF_APPS = (SupporterKind.ACCOUNT, SupporterKind.DEVICE, SupporterKind.EMAIL)


@endpoint(GEOREPORT, "/requests/<code:service_request_id>/support", **_SHARED)
def support_request(call: Call, service_request_id: str) -> Answer:
    """Say for a user of the app that a request is that person's problem too (extension).

    A person counts once, so the call may be repeated. Only the number of people is public. If the request was
    merged into another one, that one is supported; the answer names it.
    """
    person = _person(call)
    if person.kind is SupporterKind.DEVICE:
        limit_device(call.request.environ, person.value)
    found = supporting.support(
        call.platform,
        call.city,
        service_request_id,
        person,
        principal=call.caller,
        now=call.now,
        sender=call.sender(),
    )
    return _answer(call, found)


@endpoint(GEOREPORT, "/requests/<code:service_request_id>/support/remove", **_SHARED)
def remove_support(call: Call, service_request_id: str) -> Answer:
    """Take back what the same user of the app has said by `support` (extension). The call may be repeated."""
    person = _person(call)
    found = supporting.take_back(call.platform, call.city, service_request_id, person, principal=call.caller)
    return _answer(call, found)


def _person(call: Call) -> Supporter:
    """Who supports the request: the account_id, else the device_id, else the email. Raises Invalid."""
    sent = {str(kind): clean_text(call.values[kind]).strip() for kind in _OF_APPS}
    email = sent[SupporterKind.EMAIL]
    problems = [*field_problems(sent), *(email_problems(email) if email else ())]
    if problems:
        raise Invalid.of(problems)
    for kind, value in sent.items():
        if value:
            return Supporter(kind=SupporterKind(kind), value=value, api_key_id=call.caller.number)
    raise Invalid(
        tell("is missing; send the id that your app has for the person in account_id, device_id or email."),
        SupporterKind.ACCOUNT,
    )


def _answer(call: Call, found: Support) -> Answer:
    body = document(_SHAPE, _SHAPE.plain_list([found]), call.output)
    return Answer(body=body, cache_control="private, no-store", has_tag=False)
