"""What pages, mails and forecasts say: the state and the history of a request, and what numbers do not tell."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.texts import Message, tell

STATUSES: Mapping[str, Message] = {"open": tell("Open"), "closed": tell("Closed")}
STATES: Mapping[str, Message] = {
    "acknowledged": tell("The department has seen the report."),
    "in_progress": tell("Somebody works on it."),
    "scheduled": tell("A visit to the place is planned."),
    "on_hold": tell("The work waits for something."),
}
"""Our own states of an open request. A city may have other names for them, and states of its own."""
OUTCOMES: Mapping[str, Message] = {
    "fixed": tell("The problem is solved."),
    "not_found": tell("The city did not find the problem at this place."),
    "no_violation": tell("The city found nothing that breaks a rule."),
    "referred": tell("The city has passed the report on."),
    "not_responsible": tell("The city is not responsible for this."),
    "duplicate": tell("The same problem was reported before."),
    "no_access": tell("The city could not get to the place."),
    "cannot_do": tell("The city cannot do anything about it."),
    "withdrawn": tell("The report was withdrawn."),
}
NOTES: Mapping[str, Message] = {
    "received": tell("The city received the report."),
    "note": tell("The city wrote:"),
    "question": tell("The city asks the person who reported it:"),
    "public_comment": tell("Somebody wrote:"),
    "transferred": tell("Another department has the report now:"),
}
CLOSED, REOPENED = tell("The report was closed."), tell("The report was opened again.")
CAVEAT = tell(
    "These numbers are about reports, not about problems. In some neighbourhoods people report less than in others,"
    " for example because they have not heard of it, so few reports do not mean few problems. A forecast says what"
    " to expect if people go on to report as they did. Do not compare neighbourhoods by it."
)
"""What forecasts do not tell. Each page and document with forecasts has this text."""
CATEGORIES: Mapping[str, Message] = {
    "Geo": tell("Ground and water"),
    "Met": tell("Weather"),
    "Safety": tell("Safety"),
    "Security": tell("Security"),
    "Rescue": tell("Rescue"),
    "Fire": tell("Fire"),
    "Health": tell("Health"),
    "Env": tell("Environment"),
    "Transport": tell("Traffic"),
    "Infra": tell("Water, power and networks"),
    "CBRNE": tell("Hazardous substances"),
    "Other": tell("Notice"),
}
"""What a notice of a city is about, by the words of CAP 1.2."""


def part_of(city: str) -> Message:
    """The place of a notice that has a shape and no name."""
    return tell("A part of {city}", city=city)
