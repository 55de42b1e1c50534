"""The queue: filters in the address, counts, pages, and saved views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from open311.errors import Forbidden, Invalid, NotFound, Problem
from open311.operations.desk.queues import count_queues, find_queue, queue_search
from open311.operations.desk.rendering import plain_counts, plain_queue
from open311.operations.desk.views import delete_view, list_views, save_view, search_of
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.bulk import bulk_commands
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import filter_faults
from open311.web.surfaces import DESK
from schemas.desk import DeskQueueArguments, ViewArguments
from schemas.parameters import NUL
from schemas.texts import Message

FILTERS = (
    *("q", "id", "department", "state", "service_code", "area", "older_than", "overdue", "assignee"),
    *("merged", "suspected", "held", "personal_data", "test"),
)
"""The filters of the queue. Each has a field in the form."""


@endpoint(DESK, "/<jurisdiction_id>/", reads=DeskQueueArguments, gathers_problems=True, **ON_PAGE)
def queue_page(call: Call) -> Answer:
    """The requests that wait for the account's departments, the earliest due date first.

    The filters are those of the API.
    """
    problems = call.problems
    try:
        if not problems:
            search = queue_search(call.platform, call.city, call.values, principal=call.caller)
            found = plain_queue(find_queue(call.platform, search, call.now), call.city, call.now)
            return _shown(call, found, notice=words.done_of(call.values["done"]))
    except (Invalid, NotFound, Forbidden) as error:
        problems = error.problems
    return _shown(call, {"requests": [], "cursor": None}, problems=problems)


@endpoint(DESK, "/<jurisdiction_id>/views", reads=ViewArguments, method="POST", **ON_PAGE)
def change_views(call: Call) -> Answer:
    """Keep the filters of the form under a name, or delete a view."""
    name, filters = call.values["name"], sent_filters(call)
    frame = DeskFrame.of(call)
    if call.values["go"] == "delete":
        delete_view(call.platform, call.caller, name)
        return see_other(frame.link(done="delete"))
    try:
        search_of(call.platform, call.city, call.values, principal=call.caller)
        save_view(call.platform, call.caller, name, filters)
    except (Invalid, Forbidden) as error:
        return _shown(call, {"requests": [], "cursor": None}, problems=error.problems)
    return see_other(frame.link(done="save", **filters))


def sent_filters(call: Call) -> dict[str, str]:
    """The filters that a call has, as texts."""
    if call.request.method == "POST":
        given = {name: _as_text(call.values[name]) for name in FILTERS}
    else:
        given = {name: ",".join(call.request.args.getlist(name)).replace(NUL, "").strip() for name in FILTERS}
    return {name: text for name, text in given.items() if text}


def _as_text(value: Any) -> str:
    """The text that means this value of a filter in an address; "" for a filter that was not sent."""
    if isinstance(value, tuple):
        return ",".join(value)
    return "true" if value is True else str(value or "")


def _shown(
    call: Call, found: Mapping[str, Any], *, problems: tuple[Problem, ...] = (), notice: Message | None = None
) -> Answer:
    frame, filters = DeskFrame.of(call), sent_filters(call)
    counts = plain_counts(count_queues(call.platform, call.city, principal=call.caller, now=call.now), call.city)
    cursor = found["cursor"]
    return desk_page(
        call,
        "queue.html",
        status=400 if problems else 200,
        rows=found["requests"],
        next_page=frame.link(**filters, cursor=cursor) if cursor else "",
        is_first=not call.values["cursor"],
        filters=filters,
        menus=Menus(call),
        faults=filter_faults(problems, FILTERS),
        counts=counts,
        totals=_totals(counts),
        views=_views(call, frame),
        commands=bulk_commands(call.caller),
        notice=notice,
        words=words,
        state_names=words.state_names(call.city),
        departments={one.code: one.name for one in call.city.departments},
    )


def _totals(counts: Mapping[str, Any]) -> dict[str, int]:
    names = ("open", "merged", "overdue", "unassigned", "triage", "suspected", "held_photos")
    return {name: sum(one[name] for one in counts["queues"]) for name in names}


def _views(call: Call, frame: DeskFrame) -> list[tuple[str, str]]:
    """Name and address of each view of the account."""
    views = list_views(call.platform, call.caller)
    return [(name, frame.link(**{key: str(value) for key, value in kept.items()})) for name, kept in views.items()]


@dataclass(frozen=True)
class Menus:
    """The choices of the filters: pairs of a code and a name."""

    call: Call

    @property
    def department(self) -> list[tuple[str, str]]:
        """The departments of the account."""
        scope = self.call.caller.scope
        return [(one.code, one.name) for one in self.call.city.departments if scope.covers_department(one.code)]

    @property
    def service_code(self) -> list[tuple[str, str]]:
        """All services."""
        return [(one.code, one.name) for one in self.call.city.services]

    @property
    def area(self) -> list[tuple[str, str]]:
        """All areas."""
        return [(name, name) for name in sorted(self.call.city.areas)]

    @property
    def state(self) -> list[tuple[str, str]]:
        """All states."""
        return list(words.state_names(self.call.city).items())

    @property
    def overdue(self) -> list[tuple[str, str]]:
        """How near the due date is."""
        return list(words.OVERDUES.items())
