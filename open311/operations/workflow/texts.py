"""What citizens read when staff act and write no text of their own."""

from __future__ import annotations

from datetime import datetime

from open311.domain.requests import RequestRecord
from open311.domain.workflow import MERGED_TEXT, CitizenText, Outcome
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
}
"""The texts where the city's files have none, by outcome, and for a merged request. They are templates."""


def text_for(
    jurisdiction: Jurisdiction,
    record: RequestRecord,
    outcome: str,
    now: datetime,
    *,
    into: str = "",
    language: str = "",
) -> str:
    """The public text for an outcome, or for a merged request. It is never empty.

    into      the public id of the request that it was merged into; "" if the public does not see that one
    language  BCP 47 tag; the city's first language, if it is empty or has no texts. If the server's own text does
              not exist in that language either, it is in English
    """
    outcome = Outcome.DUPLICATE if outcome == MERGED_TEXT and not into else outcome
    own = _template(jurisdiction.texts_in(language), record.service_code, outcome)
    template = own or _default(jurisdiction, outcome, language)
    return template.format(**_values(jurisdiction, record, now), into=into)


def _template(texts: tuple[CitizenText, ...], service_code: str, outcome: str) -> str:
    """The city's text: that of the service, else that for all services, else ""."""
    fitting = [one for one in texts if one.outcome == outcome and one.service in ("", service_code)]
    return max(fitting, key=lambda one: bool(one.service)).text if fitting else ""


def _default(jurisdiction: Jurisdiction, outcome: str, language: str) -> str:
    """The server's own text, with its placeholders."""
    known = languages()
    spoken = closest(language, known) or closest(jurisdiction.languages[0], known)
    return str(translations_in(spoken).gettext(TEXTS[outcome].template))


def _values(jurisdiction: Jurisdiction, record: RequestRecord, now: datetime) -> dict[str, str]:
    service = jurisdiction.service(record.service_code)
    names = {department.code: department.name for department in jurisdiction.departments}
    return {
        "department": record.agency_responsible or names.get(record.department) or jurisdiction.name,
        "service": service.name if service else record.service_code,
        "address": record.place.address or "-",
        "date": now.astimezone(jurisdiction.zone).date().isoformat(),
    }
