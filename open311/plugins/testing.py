"""Checks for the tests of a plugin: `check_jurisdiction`, `check_backend` and `check_sms_sender`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction, signature
from pathlib import Path
from traceback import extract_tb
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from open311.domain.attributes import Answer, AnswerPolicy, check_answers
from open311.domain.calendar import MINUTES_A_DAY
from open311.domain.case import CaseUpdate
from open311.domain.ids import check_pattern
from open311.domain.personal_data import is_region
from open311.domain.places import Place
from open311.domain.routing import Draft
from open311.domain.services import Attribute, Datatype, Service, ServiceTranslation, Translation
from open311.domain.text import clean_text
from open311.errors import Problem
from open311.plugins.backend_faults import find_backend_faults
from open311.plugins.backends import Backend
from open311.plugins.catalogue_faults import find_catalogue_faults
from open311.plugins.declared.keys import cut
from open311.plugins.exchanges import Exchange, Trial
from open311.plugins.interface import API_VERSION, HOOKS, Jurisdiction
from open311.plugins.rule_faults import find_rule_faults, region_of
from open311.plugins.sms import SmsConfig, SmsSender, sms_kind_fault
from open311.plugins.zones import distance_km, zone_place

_EXAMPLES = {
    Datatype.STRING: "ABC 123",
    Datatype.NUMBER: "1.5",
    Datatype.DATETIME: "2026-03-01T09:30:00Z",
    Datatype.TEXT: "first line\nsecond line",
}

EXAMPLE_TIME = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
"""A Sunday."""
FAR_KM = 1_000
"""Most cities are nearer to the main place of their time zone. If a city is farther, its axes may be swapped."""


def check_jurisdiction(jurisdiction: Jurisdiction) -> None:
    """Raise AssertionError with every fault of a jurisdiction, one on each line, if it has any.

    A file that is left out is a fault here, although the server serves the city without the file.
    """
    faults = [*find_faults(jurisdiction), *jurisdiction.left_out]
    assert not faults, f"{jurisdiction.id}:\n" + "\n".join(faults)


def check_backend(
    kind: type[Backend],
    config: Mapping[str, Any],
    exchanges: Sequence[Exchange] = (),
    *,
    update: CaseUpdate | None = None,
) -> Trial:
    """Try a back end with a back office of the test kit: first with the recorded answers, then with each fault.

    config     the keys of `backends.toml` without `name` and `kind`. `{url}` in a text is the address of the kit's
               back office
    exchanges  the answers of the back office; empty for a kind that sends mail or writes files
    update     a change of the case, if the kit's own change does not fit

    The back office has these faults: it accepts no connection; it answers 500, 502 or 429; it does the work and
    then sends no answer or drops the connection; it sends broken bytes; it sends JSON with another shape; it sends
    lists in another order or with each record twice. The back end must fulfil these rules:

    - It raises no exception except `CallFailed`, and ends within its deadline.
    - A lost answer to a change gives a `Retry` with `is_uncertain`. A refused connection gives a `Retry` without
      `is_uncertain`. The answer 429 gives a `Retry` with the pause of `Retry-After`.
    - `look_up` and `updates` raise `LookUpFailed` if they get no answer. Another order of a list, or a repeated
      record, gives the same updates.
    - If it declares that keys are honoured, it sends the key.
    - No log, no result and no value in the store has a secret or a personal field.

    Returns what happened without a fault of the back office. Raises AssertionError with a line for each fault of
    the back end.
    """
    from open311.plugins.trials import try_backend  # imported here, because only tests need this slow import

    trial, faults = try_backend(kind, config, exchanges, update)
    assert not faults, f"{kind.__name__}:\n" + "\n".join(dict.fromkeys(faults))
    return trial


def check_sms_sender(
    kind: Callable[[SmsConfig], SmsSender],
    exchanges: Sequence[Exchange],
    *,
    answer: Mapping[str, Any] | None = None,
    secret: str = "",
) -> None:
    """Try a sender of text messages with a gateway of the test kit: first with recorded answers, then with faults.

    exchanges  the answers of the gateway. `SmsConfig.url` has the path of the first exchange
    answer     `body` and `headers` of a call with what a person has answered, signed at NOON of `plugins.trials`
    secret     `SmsConfig.secret`; "" for the kit's own secret, which has the form of Standard Webhooks

    The gateway has these faults: it answers 500, 502 or 429; it takes the message and drops the connection; it is
    down. The sender must fulfil these rules:

    - It raises nothing when it sends. A fault gives a `Retry`. The answer 429 gives a `Retry` with the pause of
      `Retry-After`.
    - Each call has the id of the message.
    - No log and no result has the number, the text or the secret.
    - Without settings, it raises Misconfigured. A call without a valid and recent signature is a BadCall.

    Raises AssertionError with a line for each fault of the sender.
    """
    from open311.plugins import sms_trials  # imported here, because only tests need this slow import

    faults = sms_trials.sms_faults(kind, exchanges, answer, secret or sms_trials.SECRET)
    assert not faults, f"{getattr(kind, '__name__', kind)}:\n" + "\n".join(faults)


def find_faults(jurisdiction: Jurisdiction) -> list[str]:
    """All faults that keep a jurisdiction from working, as sentences for its author.

    If its identity or its hooks have faults, only these are found.
    """
    faults = [*_identity(jurisdiction), *_hooks(jurisdiction)]
    if faults:
        return faults
    return [
        *_position(jurisdiction),
        *_privacy(jurisdiction),
        *_sms(jurisdiction),
        *_departments(jurisdiction),
        *_services(jurisdiction),
        *_citizen_texts(jurisdiction),
        *find_rule_faults(jurisdiction),
        *find_backend_faults(jurisdiction),
        *_hook_faults(jurisdiction),
        *find_catalogue_faults(jurisdiction),
        *_translations(jurisdiction),
    ]


def _privacy(jurisdiction: Jurisdiction) -> Iterator[str]:
    policy = jurisdiction.privacy
    if policy.phone_region and not is_region(policy.phone_region):
        yield f'privacy: phone_region is {policy.phone_region!r}; it must be a country of ISO 3166, such as "US"'
    try:
        if policy.plate_pattern and re.compile(policy.plate_pattern).match(""):
            yield "privacy: plate_pattern matches an empty text; make a part of it necessary"
    except re.error as error:
        yield f"privacy: plate_pattern is no regular expression: {error}"


def _sms(jurisdiction: Jurisdiction) -> Iterator[str]:
    rules = jurisdiction.sms
    if not rules.kind:
        return
    if fault := sms_kind_fault(rules.kind):
        yield f"sms: {fault}"
    if not jurisdiction.privacy.phone_region:
        yield 'sms: needs phone_region in [privacy], such as "US", so that phone numbers can be read'
    if rules.quiet and all(any(minute in hours for hours in rules.quiet) for minute in range(MINUTES_A_DAY)):
        yield "sms: quiet covers the whole day, so no message would ever be sent"


def example_draft(jurisdiction: Jurisdiction, service: Service) -> Draft:
    """A draft that the service accepts. Its point is where the service is offered. It answers every question."""
    return Draft(
        service=service,
        place=example_place(jurisdiction, service),
        answers=tuple(
            Answer(attribute.code, (example_answer(attribute),))
            for attribute in service.attributes
            if attribute.variable
        ),
        description="An example",
        requested_at=EXAMPLE_TIME,
    )


def example_drafts(jurisdiction: Jurisdiction, service: Service) -> Iterator[Draft]:
    """Drafts that every hook must accept: with and without a point and answers, by day and by night."""
    try:
        example = example_draft(jurisdiction, service)
    except IndexError:  # a list without values, which is a fault of its own
        return
    for hours in (0, 12, 24, 36):
        draft = replace(example, requested_at=EXAMPLE_TIME + timedelta(hours=hours))
        yield draft
        yield replace(draft, place=Place(address="5 Mill Lane"))
        yield replace(draft, answers=(), description="")


def example_place(jurisdiction: Jurisdiction, service: Service | None = None) -> Place:
    """A place with a point where the city accepts requests, or offers the service.

    The point is 0, 0 if every point fits, or if no point fits.
    """
    region = region_of(jurisdiction, service)
    if region.is_empty:
        return Place(lat=0.0, long=0.0)
    point = region.representative_point()
    return Place(lat=round(point.y, 6), long=round(point.x, 6))


def example_answer(attribute: Attribute) -> str:
    """A value that the attribute accepts."""
    return attribute.values[0].key if attribute.datatype.is_list else _EXAMPLES[attribute.datatype]


def _identity(jurisdiction: Jurisdiction) -> Iterator[str]:
    if jurisdiction.api_version != API_VERSION:
        yield f"api_version is {jurisdiction.api_version}; this server supports {API_VERSION}"
    if jurisdiction.id != jurisdiction.id.strip().lower() or not jurisdiction.id:
        yield f"id {jurisdiction.id!r} must be lower case without blanks around it"
    if jurisdiction.id.startswith("www."):
        yield "id must not begin with www."
    if not jurisdiction.name.strip():
        yield "name is empty"
    try:
        ZoneInfo(jurisdiction.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"time_zone {jurisdiction.time_zone!r} is not the name of an IANA zone"
    pattern_fault = check_pattern(jurisdiction.id_pattern)
    if pattern_fault:
        yield f"id_pattern {jurisdiction.id_pattern!r} {pattern_fault}"
    if not jurisdiction.services:
        yield "has no services"


def _position(jurisdiction: Jurisdiction) -> Iterator[str]:
    """A fault if the boundary fits the time zone far better with its axes swapped."""
    place = zone_place(jurisdiction.time_zone)
    if place is None or jurisdiction.boundary is None:
        return
    long, lat = jurisdiction.boundary.centroid.coords[0]
    there = distance_km((long, lat), place)
    swapped = distance_km((lat, long), place)
    if there > FAR_KM and swapped < there / 2:
        yield (
            f"boundary.geojson lies around long {long:.1f}, lat {lat:.1f}, {there:,.0f} km from"
            f" {jurisdiction.time_zone}; its axes seem to be swapped: GeoJSON writes [long, lat]"
        )


def _hooks(jurisdiction: Jurisdiction) -> Iterator[str]:
    """Methods of a subclass that the server would never call, or that it could not call."""
    known = {name for name in vars(Jurisdiction) if not name.startswith("_")} | set(vars(jurisdiction))
    own = [kind for kind in type(jurisdiction).__mro__ if kind not in Jurisdiction.__mro__]
    for name in sorted({name for kind in own for name in vars(kind) if not name.startswith("_")}):
        if name in known:
            yield from _override(jurisdiction, name)
        elif callable(getattr(jurisdiction, name)) and (meant := _meant(name)):
            yield f"method {name!r} is never called; rename it to {meant}, or to _{name} if it is no hook"


def _meant(name: str) -> str:
    """The hook with nearly the same name as `name`; "" if there is no such hook."""
    plain = {hook.replace("_", ""): hook for hook in HOOKS}
    found = get_close_matches(name.replace("_", "").lower(), plain, n=1, cutoff=0.85)
    return plain[found[0]] if found else ""


def _override(jurisdiction: Jurisdiction, name: str) -> Iterator[str]:
    """The fault of a method that overrides a method of Jurisdiction."""
    original, method = getattr(Jurisdiction, name, None), getattr(jurisdiction, name)
    if not isfunction(original):
        return
    wanted = list(signature(original).parameters)[1:]
    if not callable(method):
        yield f"{name} must be a method: def {name}(self, {', '.join(wanted)})"
    elif iscoroutinefunction(method) or isasyncgenfunction(method):
        yield f"method {name!r} must not be async: def {name}(self, {', '.join(wanted)})"
    else:
        try:
            signature(method).bind(*wanted)
        except TypeError:
            yield f"method {name!r} has other parameters than def {name}(self, {', '.join(wanted)})"


def _departments(jurisdiction: Jurisdiction) -> Iterator[str]:
    yield from _repeated("department", (department.code for department in jurisdiction.departments))
    for department in jurisdiction.departments:
        yield from _unfit_text(f"department {department.code}", department.name)


def _services(jurisdiction: Jurisdiction) -> Iterator[str]:
    yield from _repeated("service", (service.code for service in jurisdiction.services))
    for service in jurisdiction.services:
        where = f"service {service.code!r}"
        yield from _unfit_text(f"{where} code", service.code)
        yield from _unfit_text(f"{where} name", service.name)
        for text in (service.description, service.group, service.notice, *service.keywords):
            yield from _unprintable(where, text)
        yield from _repeated(f"{where}: attribute", (attribute.code for attribute in service.attributes))
        for attribute in service.attributes:
            yield from _attribute(where, attribute)
        yield from _answerable(jurisdiction, service)


def _attribute(where: str, attribute: Attribute) -> Iterator[str]:
    where = f"{where}: attribute {attribute.code!r}"
    yield from _unfit_text(f"{where} code", attribute.code)
    yield from _unfit_text(f"{where} description", attribute.description)
    if "[" in attribute.code or "]" in attribute.code:
        yield f"{where}: brackets in a code cannot be sent as attribute[CODE]"
    if attribute.datatype.is_list and not attribute.values:
        yield f"{where}: a list must have values"
    if not attribute.datatype.is_list and attribute.values:
        yield f"{where}: only the two list datatypes can have values"
    yield from _repeated(f"{where}: value", (value.key for value in attribute.values))
    for value in attribute.values:
        yield from _unfit_text(f"{where}: value key", value.key)
        yield from _unfit_text(f"{where}: value name", value.name)


def _answerable(jurisdiction: Jurisdiction, service: Service) -> Iterator[str]:
    """A draft that answers every question must pass the service's checks and the plugin's `check`."""
    try:
        draft = example_draft(jurisdiction, service)
    except IndexError:
        return
    sent = {answer.code: answer.values for answer in draft.answers}
    _, problems = check_answers(service, sent, AnswerPolicy(zone=jurisdiction.zone))
    if not _check_fault(jurisdiction, draft):
        problems += jurisdiction.check(draft)
    for problem in problems:
        yield f"service {service.code!r} refuses an example: {problem}"


def _hook_faults(jurisdiction: Jurisdiction) -> Iterator[str]:
    """Faults in the results of a city's own hooks, for drafts of each service at several times and places."""
    for fault_of, hooks in ((_route_fault, ("department_for", "explain", "route")), (_check_fault, ("check",))):
        if all(getattr(type(jurisdiction), hook) is getattr(Jurisdiction, hook) for hook in hooks):
            continue
        for service in jurisdiction.services:
            faults = (fault_of(jurisdiction, draft) for draft in example_drafts(jurisdiction, service))
            if fault := next(filter(None, faults), ""):
                yield f"service {service.code!r} {fault}"


def _route_fault(jurisdiction: Jurisdiction, draft: Draft) -> str:
    """The fault in the route of a draft; "" if there is no fault."""
    try:
        department = jurisdiction.route(draft).department
    except Exception as error:  # a plugin may raise anything
        return f"cannot be routed: {_raised(error)} for {_shown(draft)}"
    is_known = any(department == known.code for known in jurisdiction.departments)
    return "" if is_known else f"is routed to {department!r}, which is not declared, for {_shown(draft)}"


def _check_fault(jurisdiction: Jurisdiction, draft: Draft) -> str:
    """The fault in the result of `check` for a draft; "" if there is no fault. A list of problems is no fault."""
    try:
        problems = jurisdiction.check(draft)
    except Exception as error:  # a plugin may raise anything
        return f"cannot be checked: {_raised(error)} for {_shown(draft)}"
    is_right = isinstance(problems, list) and all(isinstance(problem, Problem) for problem in problems)
    return "" if is_right else f"cannot be checked: check must return a list of Problem, not {cut(repr(problems))}"


def _raised(error: Exception) -> str:
    """The class and the place of a hook's exception. Its text is left out, because /readyz shows the sentence."""
    last = extract_tb(error.__traceback__)[-1]
    return f"the city's Python raises {type(error).__name__} ({Path(last.filename).name}, line {last.lineno})"


def _shown(draft: Draft) -> str:
    parts = ["an example with a point" if draft.place.has_point else "an example with an address alone"]
    parts += [] if draft.answers or not draft.service.has_metadata else ["without answers"]
    return f"{' '.join(parts)} at {draft.requested_at:%Y-%m-%dT%H:%M:%SZ}"


def _citizen_texts(jurisdiction: Jurisdiction) -> Iterator[str]:
    for text in jurisdiction.texts:
        yield from _unprintable(f"text {text.outcome}", text.text)


def _unfit_translation(where: str, translation: Translation) -> Iterator[str]:
    """Faults in the texts of a translation.

    An empty name is no fault, because pages then show the original name. A name of blanks would be shown as it is.
    """
    for group, name in translation.groups.items():
        yield from _unfit_if_there(f"{where}: group {group!r}", name)
    for text in translation.texts:
        yield from _unprintable(f"{where}: text {text.outcome}", text.text)
    for code, texts in translation.services.items():
        yield from _unfit_if_there(f"{where}: {code!r} name", texts.name)
        for one in (texts.description, texts.notice, *texts.keywords):
            yield from _unprintable(f"{where}: {code!r}", one)
        for name, question in texts.attributes.items():
            inner = f"{where}: {code!r}: {name!r}"
            yield from _unfit_if_there(f"{inner} description", question.description)
            yield from _unprintable(inner, question.datatype_description)
            for key, value in question.values.items():
                yield from _unfit_if_there(f"{inner}: {key!r}", value)


def _unfit_if_there(where: str, text: str) -> Iterator[str]:
    if text:
        yield from _unfit_text(where, text)


def _translations(jurisdiction: Jurisdiction) -> Iterator[str]:
    codes = {service.code: service for service in jurisdiction.services}
    for language, translation in jurisdiction.translations.items():
        if language not in jurisdiction.languages:
            yield f"languages/{language}.toml exists, but the key languages does not contain {language}"
        yield from _unfit_translation(f"languages/{language}.toml", translation)
        for group in set(translation.groups) - {service.group for service in jurisdiction.services}:
            yield f"languages/{language}.toml translates group {group!r}, which no service has"
        for code, texts in translation.services.items():
            where = f"languages/{language}.toml translates {code!r}"
            if code not in codes:
                yield f"{where}, which is not a service"
                continue
            yield from _translated_attributes(where, codes[code], texts)


def _translated_attributes(where: str, service: Service, texts: ServiceTranslation) -> Iterator[str]:
    known = {attribute.code: attribute for attribute in service.attributes}
    for code, attribute_texts in texts.attributes.items():
        if code not in known:
            yield f"{where}: {code!r}, which is not an attribute"
            continue
        for key in set(attribute_texts.values) - {value.key for value in known[code].values}:
            yield f"{where}: {code}: {key!r}, which is not a key"


def _repeated(what: str, codes: Iterable[str]) -> Iterator[str]:
    for code, count in Counter(codes).items():
        if count > 1:
            yield f"{what} {code!r} is declared {count} times"


def _unfit_text(where: str, text: str) -> Iterator[str]:
    if not text or text != text.strip():
        yield f"{where} is empty or has blanks around it"
    yield from _unprintable(where, text)


def _unprintable(where: str, text: str) -> Iterator[str]:
    if text != clean_text(text):
        yield f"{where} holds characters that XML cannot carry"


__all__ = [
    "EXAMPLE_TIME",
    "Exchange",
    "Trial",
    "check_backend",
    "check_jurisdiction",
    "check_sms_sender",
    "example_answer",
    "example_draft",
    "example_drafts",
    "example_place",
    "find_faults",
]
