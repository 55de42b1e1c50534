"""Saved views: filters of queues that an account keeps under a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from open311.domain.access import Principal
from open311.errors import Invalid, NotFound
from open311.operations.platform import Platform
from open311.storage import staff_views
from schemas.texts import tell

MOST_VIEWS = 100
_NAME = re.compile(r"[\w.-]{1,60}")


def list_views(platform: Platform, principal: Principal) -> dict[str, Any]:
    """The filters of the account's views, by name."""
    with platform.database.reading() as connection:
        return staff_views.load_views(connection, principal.scope.jurisdiction_id, principal.number)


def save_view(platform: Platform, principal: Principal, name: str, filters: Mapping[str, str]) -> None:
    """Keep filters under a name, in place of those that were there. Raises Invalid for a wrong name."""
    if not _NAME.fullmatch(name):
        fault = tell("{name!r} cannot be a name; use up to 60 letters, digits, - _ and dots.", name=name[:60])
        raise Invalid(fault, "view")
    with platform.database.transaction() as connection:
        key = (connection, principal.scope.jurisdiction_id, principal.number)
        known = staff_views.load_views(*key)
        if len(known) >= MOST_VIEWS and name not in known:
            fault = tell("this account has {most} views already; delete one first.", most=MOST_VIEWS)
            raise Invalid(fault, "view")
        staff_views.save_view(*key, name, filters)


def delete_view(platform: Platform, principal: Principal, name: str) -> None:
    """Delete a view. Raises NotFound if the account has none of this name."""
    with platform.database.transaction() as connection:
        if not staff_views.delete_view(connection, principal.scope.jurisdiction_id, principal.number, name):
            raise NotFound(tell("{name!r} is no view of this account.", name=name[:60]), "view")
