"""Demoville with a back office: an external plugin, which the server under test finds by its entry point."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from open311.plugins import Accepted, Draft, Jurisdiction, Pending, Resolution, declared

DOWN_FILE = "CONFORMANCE_BACK_OFFICE_DOWN"
"""The environment variable with the path of a file. While this file exists, the back office does not answer."""
PENDING_DESCRIPTION = "Wait for the arborist."
"""The description of batch requests that stay pending."""


class Connected(Jurisdiction):
    """A city that asks its back office for the department of each request and for the ids of batch requests."""

    def department_for(self, draft: Draft) -> str | None:
        """The department from the city's tables. Raises an exception if the back office does not answer."""
        _ask()
        return super().department_for(draft)

    def resolve(self, token: str, draft: Draft) -> Resolution:
        """Accept a batch request, or keep it pending if it has the description above."""
        _ask()
        return Pending() if draft.description == PENDING_DESCRIPTION else Accepted()


def _ask() -> None:
    if Path(os.environ.get(DOWN_FILE, "/nonexistent")).exists():
        raise ConnectionError("the back office is down")


def with_renamed_service(city: Jurisdiction, code: str, name: str) -> Jurisdiction:
    """The city, with another name for one of its services."""
    services = (replace(each, name=name) if each.code == code else each for each in city.services)
    return replace(city, services=tuple(services))


def _with_public_answers(city: Jurisdiction) -> Jurisdiction:
    """The city, with all answers public that can be, so that the suite can read them."""
    services = (
        replace(
            each,
            attributes=tuple(replace(attribute, public=not attribute.hidden) for attribute in each.attributes),
        )
        for each in city.services
    )
    return replace(city, services=tuple(services))


jurisdiction = _with_public_answers(declared.load("jurisdictions.demo", Connected))
