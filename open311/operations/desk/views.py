"""Saved views: filters of queues that an account keeps under a name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from open311.domain.access import Principal
from open311.domain.queues import QueueSearch
from open311.errors import Invalid, NotFound
from open311.operations.desk.queues import queue_search
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import staff_views
from schemas.texts import tell

MOST_VIEWS = 100
MOST_NAME_CHARACTERS = 60


def list_views(platform: Platform, principal: Principal) -> dict[str, Any]:
    """The filters of the account's views, by name."""
    with platform.database.reading() as connection:
        return staff_views.load_views(connection, principal.scope.jurisdiction_id, principal.number)


def save_view(platform: Platform, principal: Principal, name: str, filters: Mapping[str, str]) -> None:
    """Save filters under a name. They replace the filters of an older view of this name.

    Raises Invalid for a wrong name, and if the account has too many views.
    """
    if not _is_name(name):
        named = {"name": name[:MOST_NAME_CHARACTERS], "most": MOST_NAME_CHARACTERS}
        fault = tell(
            "{name!r} cannot be a name; use one line of at most {most} characters, with a letter or digit,"
            " without a slash, and without spaces at the ends.",
            **named,
        )
        raise Invalid(fault, "view")
    with platform.database.transaction() as connection:
        key = (connection, principal.scope.jurisdiction_id, principal.number)
        known = staff_views.load_views(*key)
        if len(known) >= MOST_VIEWS and name not in known:
            fault = tell("this account has {most} views already; delete one first.", most=MOST_VIEWS)
            raise Invalid(fault, "view")
        staff_views.save_view(*key, name, filters)


def _is_name(name: str) -> bool:
    """Whether a text can be the name of a view. The name is a part of a URL."""
    is_short = len(name) <= MOST_NAME_CHARACTERS
    return (
        is_short and name.isprintable() and name == name.strip() and "/" not in name and any(map(str.isalnum, name))
    )


def search_of(
    platform: Platform, city: Jurisdiction, filters: Mapping[str, Any], *, principal: Principal, now: datetime
) -> QueueSearch:
    """Make a search from filters in a body, for an account.

    filters  the values of all parameters of a queue
    Raises Invalid for a value that the city does not know, Forbidden for departments outside the account's.
    """
    try:
        return queue_search(platform, city, filters, principal=principal, now=now)
    except NotFound as error:  # in a query, an unknown service is a 404; in a body, it is a 400
        raise Invalid.of(error.problems) from None


def delete_view(platform: Platform, principal: Principal, name: str) -> None:
    """Delete a view. Raises NotFound if the account has none of this name."""
    with platform.database.transaction() as connection:
        if not staff_views.delete_view(connection, principal.scope.jurisdiction_id, principal.number, name):
            raise NotFound(tell("{name!r} is no view of this account.", name=name[:60]), "view")
