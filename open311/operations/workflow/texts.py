"""What citizens read when staff act and write no text of their own."""

from __future__ import annotations

from datetime import datetime

from open311.domain.requests import RequestRecord
from open311.domain.workflow import MERGED_TEXT, CitizenText, Outcome
from open311.plugins import Jurisdiction

TEXTS: dict[str, str] = {
    Outcome.FIXED: "The problem is fixed.",
    Outcome.NOT_FOUND: "We looked at the place and did not find the problem.",
    Outcome.NO_VIOLATION: "We looked at it and found nothing against the rules.",
    Outcome.REFERRED: "We passed this on to those who look after it.",
    Outcome.NOT_RESPONSIBLE: "This is not ours to look after.",
    Outcome.DUPLICATE: "We handle this together with another report about the same thing.",
    Outcome.NO_ACCESS: "We could not get to the place.",
    Outcome.CANNOT_DO: "We cannot do anything about this.",
    Outcome.WITHDRAWN: "The report was withdrawn.",
    Outcome.UNKNOWN: "This report is closed.",
    MERGED_TEXT: "We handle this together with {into}, a report about the same thing.",
}
"""The texts where the city's files have none, by outcome, and for a merged request."""


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
    language  BCP 47 tag; the city's first language, if it is empty or has no texts
    """
    outcome = Outcome.DUPLICATE if outcome == MERGED_TEXT and not into else outcome
    template = _template(jurisdiction.texts_in(language), record.service_code, outcome) or TEXTS[outcome]
    return template.format(**_values(jurisdiction, record, now), into=into)


def _template(texts: tuple[CitizenText, ...], service_code: str, outcome: str) -> str:
    """The city's text: that of the service, else that for all services, else ""."""
    fitting = [one for one in texts if one.outcome == outcome and one.service in ("", service_code)]
    return max(fitting, key=lambda one: bool(one.service)).text if fitting else ""


def _values(jurisdiction: Jurisdiction, record: RequestRecord, now: datetime) -> dict[str, str]:
    service = jurisdiction.service(record.service_code)
    names = {department.code: department.name for department in jurisdiction.departments}
    return {
        "department": record.agency_responsible or names.get(record.department) or jurisdiction.name,
        "service": service.name if service else record.service_code,
        "address": record.place.address or "-",
        "date": now.astimezone(jurisdiction.zone).date().isoformat(),
    }
