"""Demoville with a back office behind it: an outside plugin, which the server under test finds by entry point."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from open311.plugins import Accepted, Draft, Jurisdiction, Pending, Resolution, declared

DOWN_FILE = "CONFORMANCE_BACK_OFFICE_DOWN"
"""The variable that names a file: while it exists, the back office does not answer."""
WAITS = "Wait for the arborist."
"""The description of a batch request that gets no id yet."""


class Connected(Jurisdiction):
    """A city that asks its back office who shall do the work, and for the ids of batch requests."""

    def department_for(self, draft: Draft) -> str | None:
        """Nobody in particular, as long as the back office answers."""
        _ask()
        return super().department_for(draft)

    def resolve(self, token: str, draft: Draft) -> Resolution:
        """An id, but for those that say they wait."""
        _ask()
        return Pending() if draft.description == WAITS else Accepted()


def _ask() -> None:
    if Path(os.environ.get(DOWN_FILE, "/nonexistent")).exists():
        raise ConnectionError("the back office is down")


def renamed(city: Jurisdiction, code: str, name: str) -> Jurisdiction:
    """The city with another name for one of its services."""
    services = (replace(each, name=name) if each.code == code else each for each in city.services)
    return replace(city, services=tuple(services))


def _outspoken(city: Jurisdiction) -> Jurisdiction:
    """The city with all answers shown to everybody, so that the suite can read them back."""
    services = (
        replace(each, attributes=tuple(replace(attribute, public=True) for attribute in each.attributes))
        for each in city.services
    )
    return replace(city, services=tuple(services))


jurisdiction = _outspoken(declared.load("jurisdictions.demo", Connected))
