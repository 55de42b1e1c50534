"""The department that gets a request. The city's plugin decides it."""

from __future__ import annotations

from open311.domain.requests import RequestRecord
from open311.domain.routing import Draft, Route, Step
from open311.domain.services import Service
from open311.observe import logger
from open311.plugins import Jurisdiction

log = logger(__name__)


def explain_draft(jurisdiction: Jurisdiction, draft: Draft) -> list[Step]:
    """The plugin's explanation of a route; empty if the plugin fails."""
    try:
        return jurisdiction.explain(draft)
    except Exception:  # a plugin may raise anything
        log.exception("routing failed", jurisdiction=jurisdiction.id, service=draft.service.code)
        return []


def draft_of(jurisdiction: Jurisdiction, record: RequestRecord) -> Draft:
    """A stored request, as it is now, for routing and hooks. Answers that were not asked for are left out.

    The city may have retired the service after the request came. Then the draft's service has this code and no
    department.
    """
    return Draft(
        service=jurisdiction.service(record.service_code) or Service(code=record.service_code, name=""),
        place=record.place,
        answers=tuple(answer for answer in record.answers if answer.is_asked),
        description=record.description,
        requested_at=record.requested_at,
    )


def route_draft(jurisdiction: Jurisdiction, draft: Draft) -> Route:
    """The plugin's route, or the route to triage if the plugin fails or names a department that the city lacks."""
    try:
        route = jurisdiction.route(draft)
        jurisdiction.department(route.department)
        return route
    except Exception:  # a plugin may raise anything; the request is accepted all the same
        log.exception("routing failed", jurisdiction=jurisdiction.id, service=draft.service.code)
        return Route(department=jurisdiction.triage, reason="routing failed", is_triage=True)
