"""The texts that citizens read when staff act and write no text of their own."""

from __future__ import annotations

from datetime import datetime

from open311.domain.requests import RequestRecord
from open311.domain.workflow import MERGED_TEXT, REOPENED_TEXT, SCHEDULED_TEXT, UNMERGED_TEXT, CitizenText, Outcome
from open311.plugins import Jurisdiction
from open311.translations import closest, languages, translations_in
from schemas.texts import Message, tell

TEXTS: dict[str, Message] = {
    Outcome.FIXED: tell("The problem is fixed."),
    Outcome.NOT_FOUND: tell("We looked at the place and did not find the problem."),
    Outcome.NO_VIOLATION: tell("We looked at it and found nothing against the rules."),
    Outcome.REFERRED: tell("We passed this on to those who look after it."),
    Outcome.NOT_RESPONSIBLE: tell("This is not ours to look after."),
    Outcome.DUPLICATE: tell("We handle this together with another report about the same thing."),
    Outcome.NO_ACCESS: tell("We could not get to the place."),
    Outcome.CANNOT_DO: tell("We cannot do anything about this."),
    Outcome.WITHDRAWN: tell("The report was withdrawn."),
    Outcome.UNKNOWN: tell("This report is closed."),
    MERGED_TEXT: tell("We handle this together with {into}, a report about the same thing.", into="{into}"),
    UNMERGED_TEXT: tell("We handle this report by itself again."),
    REOPENED_TEXT: tell("We look at this again."),
    SCHEDULED_TEXT: tell("A visit is planned for {date}.", date="{date}"),
}
"""The server's own texts, by outcome or moment, for cities that have none. They are templates."""


def text_for(
    jurisdiction: Jurisdiction,
    record: RequestRecord,
    outcome: str,
    at: datetime,
    *,
    into: str = "",
    language: str = "",
) -> str:
    """The public text for an outcome, or for one of MOMENTS. It is never empty.

    at        the instant for {date}: now, or the time of the visit
    into      the id of the request into which this one was merged; "" if the public does not see that request
    language  BCP 47 tag; without a tag, or without texts in that language, the city's first language is used. If
              the server has no text in that language either, the text is in English
    """
    outcome = Outcome.DUPLICATE if outcome == MERGED_TEXT and not into else outcome
    own = _template(jurisdiction.texts_in(language), record, outcome, into)
    template = own or _default(jurisdiction, outcome, language)
    return template.format(**_values(jurisdiction, record, at), into=into)


def server_text(jurisdiction: Jurisdiction, record: RequestRecord, outcome: str, at: datetime) -> str:
    """The server's own text for an outcome or moment, in the city's first language, as `text_for` gives it."""
    return _default(jurisdiction, outcome, "").format(**_values(jurisdiction, record, at), into="")


def _template(texts: tuple[CitizenText, ...], record: RequestRecord, outcome: str, into: str) -> str:
    """The city's text for the service, else its text for all services, else "".

    A text with {address} is ignored for a request without an address. A text with {into} is ignored if there is no
    other request to name.
    """
    fitting = [
        one
        for one in texts
        if one.outcome == outcome
        and one.service in ("", record.service_code)
        and (record.place.address or not one.has_address)
        and (into or "{into}" not in one.text)
    ]
    return max(fitting, key=lambda one: bool(one.service)).text if fitting else ""


def _default(jurisdiction: Jurisdiction, outcome: str, language: str) -> str:
    """The server's own text, with its placeholders."""
    known = languages()
    spoken = closest(language, known) or closest(jurisdiction.languages[0], known)
    return str(translations_in(spoken).gettext(TEXTS[outcome].template))


def _values(jurisdiction: Jurisdiction, record: RequestRecord, at: datetime) -> dict[str, str]:
    service = jurisdiction.service(record.service_code)
    names = {department.code: department.name for department in jurisdiction.departments}
    return {
        "department": record.agency_responsible or names.get(record.department) or jurisdiction.name,
        "service": service.name if service else record.service_code,
        "address": record.place.address,
        "date": at.astimezone(jurisdiction.zone).date().isoformat(),
    }
