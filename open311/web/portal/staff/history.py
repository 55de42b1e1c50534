"""What the page of a request says about its events: the page's own words, names instead of codes, and instants.

The staff API has the events' plain texts. A kind of event that is not here is shown with its plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from open311.domain.events import (
    AreasRecomputed,
    Assigned,
    Corrected,
    Erased,
    Event,
    FeedbackGiven,
    FoundOutside,
    MaskChanged,
    Merged,
    PhotoAdded,
    Prioritised,
    ProgressMade,
    Promised,
    Routed,
    ServiceChanged,
    StatusChanged,
    Suspected,
    Transferred,
    Triaged,
    VisibilityChanged,
    VisitScheduled,
)
from open311.plugins import Jurisdiction
from open311.web.portal.staff import words
from schemas.texts import Message, tell

Say = Callable[[Any, Jurisdiction], str]
STATUSES: Mapping[str, Message] = {"open": tell("Open"), "closed": tell("Closed")}
VISIBILITIES: Mapping[str, Message] = {
    "public": tell("Everybody"),
    "held": tell("Nobody, until it is released"),
    "unlisted": tell("Who has its number"),
    "private": tell("Only staff"),
    "withdrawn": tell("Nobody, because it was hidden"),
}
PARTS: Mapping[str, Message] = {
    "description": tell("Description"),
    "address": tell("Address"),
    "point": tell("Point on the map"),
    "notes": tell("Texts for the public"),
    "answers": tell("Answers"),
    "media": tell("Photos"),
    "reporter": tell("Who sent it"),
}
SUSPICIONS: Mapping[str, Message] = {
    "honeypot": tell("A field was filled that people do not see"),
    "key_rate": tell("Too many reports with one key"),
    "address_rate": tell("Too many reports from one network address"),
    "device_rate": tell("Too many reports from one device"),
    "repeats": tell("The same report too often"),
}
PERSONAL: Mapping[str, Message] = {
    "email": tell("E-mail address"),
    "phone": tell("Phone number"),
    "iban": tell("Bank account"),
    "card": tell("Payment card"),
    "plate": tell("Licence plate"),
    "name": tell("Name"),
    "address": tell("Address"),
}


def with_words(
    history: Sequence[Mapping[str, Any]], events: Iterable[Event], city: Jurisdiction
) -> list[dict[str, Any]]:
    """The history as the staff API has it, with the words and the instants of the page.

    text     a text in the reader's language, or one that somebody wrote
    instant  the instant that an event is about, such as that of a visit
    """
    return [
        dict(plain) | {"text": _said(event, city, plain["text"]), "instant": _instant(event)}
        for plain, event in zip(history, events, strict=True)
    ]


def _instant(event: Event) -> Any:
    if isinstance(event, Promised):
        return event.expected
    return event.visit if isinstance(event, VisitScheduled) else None


def _said(event: Event, city: Jurisdiction, plain: str | None) -> str | None:
    if _instant(event) is not None:
        return None
    say = _SAYINGS.get(type(event))
    return plain if say is None else say(event, city) or plain


def _assigned(event: Assigned, _: Jurisdiction) -> str:
    return "" if event.new else tell("Nobody")


def _progress(event: ProgressMade, city: Jurisdiction) -> str:
    if not event.new:
        return tell("Not begun")
    names = {(str(one.state), one.code): one.name for one in city.states}
    state = words.state_names(city).get(event.new, event.new)
    detail = names.get((event.new, event.detail), event.detail) if event.detail else ""
    return tell("{state}: {detail}", state=state, detail=detail) if detail else state


def _status(event: StatusChanged, _: Jurisdiction) -> str:
    status = STATUSES.get(event.new, event.new)
    outcome = words.OUTCOMES.get(event.outcome, event.outcome)
    return tell("{status}: {outcome}", status=status, outcome=outcome) if outcome else status


def _routed(event: Routed, city: Jurisdiction) -> str:
    return tell("{department} ({reason})", department=_department(city, event.department), reason=event.reason)


def _transferred(event: Transferred, city: Jurisdiction) -> str:
    return event.name or (_department(city, event.new) if event.new else tell("Without a department"))


def _department(city: Jurisdiction, code: str) -> str:
    return next((one.name for one in city.departments if one.code == code), code)


def _service(event: ServiceChanged, city: Jurisdiction) -> str:
    names = {one.code: one.name for one in city.services}
    old, new = names.get(event.old, event.old), names.get(event.new, event.new)
    if event.dropped:
        return tell(
            "{old} → {new}; answers that only staff see: {codes}", old=old, new=new, codes=", ".join(event.dropped)
        )
    return tell("{old} → {new}", old=old, new=new)


def _areas(event: AreasRecomputed, _: Jurisdiction) -> str:
    return tell("Before: {areas}", areas=", ".join(event.old) or "–")


def _suspected(event: Suspected, _: Jurisdiction) -> str:
    found = [
        tell("Block {number}", number=event.block) if rule == "blocked" else SUSPICIONS.get(rule, rule)
        for rule in event.rules
    ]
    return _joined(found)


def _parts(event: Erased | Corrected, _: Jurisdiction) -> str:
    return _joined([PARTS.get(part, part) for part in event.what])


def _joined(texts: Sequence[str]) -> str:
    """The texts with commas between them, as one text whose parts are translated."""
    if not texts:
        return ""
    joined = texts[0]
    for text in texts[1:]:
        joined = tell("{first}, {second}", first=joined, second=text)
    return joined


def _outside(event: FoundOutside, _: Jurisdiction) -> str:
    if event.service:
        return tell("The service is not offered at this point.")
    return tell("The point lies outside the city.")


def _mask(event: MaskChanged, _: Jurisdiction) -> str:
    kind = PERSONAL.get(event.what, event.what)
    if event.is_shown:
        return tell("{kind}: the public sees it", kind=kind)
    return tell("{kind}: the public does not see it", kind=kind)


_SAYINGS: Mapping[type[Event], Say] = {
    AreasRecomputed: _areas,
    Assigned: _assigned,
    Corrected: _parts,
    Erased: _parts,
    FeedbackGiven: lambda event, _: words.FEEDBACK.get(event.answer, event.answer),
    FoundOutside: _outside,
    MaskChanged: _mask,
    Merged: lambda event, _: event.name or tell("Number {number}", number=event.into),
    PhotoAdded: lambda event, _: tell("For the public") if event.is_shown else tell("For staff"),
    Prioritised: lambda event, _: words.PRIORITIES.get(event.new, event.new),
    ProgressMade: _progress,
    Routed: _routed,
    ServiceChanged: _service,
    StatusChanged: _status,
    Suspected: _suspected,
    Transferred: _transferred,
    Triaged: _routed,
    VisibilityChanged: lambda event, _: VISIBILITIES.get(event.new, event.new),
}
