"""The saved views of an account."""

from __future__ import annotations

from typing import Any

from open311.formats import JSON
from open311.operations.desk.views import delete_view, list_views, save_view, search_of
from open311.plugins import Jurisdiction
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.staff.answers import staff_answer
from open311.web.staff.filters import read_filters
from open311.web.surfaces import STAFF
from schemas.staff import SavedViewsSchema, StaffArguments, ViewBody

_SHARED: dict[str, Any] = {
    "reads": StaffArguments,
    "access": STAFF_ONLY,
    "answers": Media("application/json", SavedViewsSchema()),
    "output": JSON,
    "city": City.OPTIONAL,
}


@endpoint(STAFF, "/views", **_SHARED)
def list_staff_views(call: Call) -> Answer:
    """List the saved views of the account."""
    found = list_views(call.platform, call.caller)
    return staff_answer({"views": [{"name": name, "filters": filters} for name, filters in found.items()]})


@endpoint(STAFF, "/views/<view>", method="PUT", body=ViewBody, **_SHARED)
def save_staff_view(call: Call, view: str) -> Answer:
    """Save filters of a queue under a name, in place of its former filters. The answer lists all views.

    An account of all cities names the city whose departments, services and areas the filters have.
    """
    filters = call.body["filters"]
    values, city = read_filters(filters), _city(call)
    if city is not None:
        search_of(call.platform, city, values, principal=call.caller)
    save_view(call.platform, call.caller, view, filters)
    return list_staff_views.view(call)  # type: ignore[return-value]


def _city(call: Call) -> Jurisdiction | None:
    """The city of the call or of the account; None if an account of all cities names no city."""
    return call.named_city or call.platform.registry.jurisdictions.get(call.caller.scope.jurisdiction_id)


@endpoint(STAFF, "/views/<view>", method="DELETE", errors=(404,), **_SHARED)
def delete_staff_view(call: Call, view: str) -> Answer:
    """Delete a saved view. The answer lists those that are left."""
    delete_view(call.platform, call.caller, view)
    return list_staff_views.view(call)  # type: ignore[return-value]
