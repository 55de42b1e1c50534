"""The queues of an account: pages of requests, the requests near a place, and the counts of each department."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from open311.domain.access import Principal, Role
from open311.domain.events.base import MERGED
from open311.domain.queues import DepartmentCount, QueueKey, QueueRow, QueueSearch
from open311.domain.requests import Status
from open311.domain.search import Circle
from open311.domain.text import parsable_words, search_words
from open311.domain.workflow import State
from open311.errors import Forbidden, Invalid
from open311.operations.access.staff import require_city, require_role
from open311.operations.platform import Platform
from open311.operations.publishing import text_search_language
from open311.operations.row_cache import CachedRow
from open311.plugins import Jurisdiction
from open311.storage import accounts, counts, media
from open311.storage.hot import queues
from schemas.texts import tell

ME, NOBODY = "me", "none"
BAD_CURSOR = tell("is no cursor of this call; begin again without it.")


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A page of a queue.

    rows      the requests
    names     the names of the accounts in the rows, by `str(account)`
    next_key  the key of the last row, if there is a next page
    """

    rows: Sequence[QueueRow]
    names: Mapping[str, str]
    next_key: QueueKey | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of an account's departments. `behind`: how many changes the numbers of open requests lack."""

    departments: tuple[DepartmentCount, ...]
    behind: int


def queue_search(
    platform: Platform,
    city: Jurisdiction,
    values: Mapping[str, Any],
    *,
    principal: Principal,
    is_kept: bool = False,
) -> QueueSearch:
    """Make a search from the parameters of a queue, for an account.

    values   the values of the parameters of schemas.staff.QueueArguments
    is_kept  whether the process keeps the search for later calls with the same objects; `values` must be hashable
    Raises Invalid for a faulty value, Forbidden for departments outside the account's.
    """
    read = platform.process.cached(_search) if is_kept else _search
    search = read(platform, city, values, principal)
    return _all_departments(platform, city, search) if search.is_closed else search


def _search(platform: Platform, city: Jurisdiction, values: Mapping[str, Any], principal: Principal) -> QueueSearch:
    require_role(principal, Role.READER)
    require_city(principal, city.id)
    states = tuple(State(state) for state in values["state"])
    if State.CLOSED in states and len(states) > 1:
        raise Invalid(tell("ask for closed requests alone; they have another order."), "state")
    older_than = values["older_than"]
    search = QueueSearch(
        jurisdiction_id=city.id,
        soon=city.due_soon,
        departments=_departments(platform, city, values["department"], principal),
        names=tuple(values["id"]),
        states=states,
        service_codes=tuple(city.require_service(code).code for code in values["service_code"]),
        area=_area(city, values["area"]),
        older_than=None if older_than is None else timedelta(days=older_than),
        due=values["overdue"] or "",
        assignee=_assignee(platform, city, values["assignee"], principal),
        words=parsable_words(values["q"]),
        folded_words=search_words(values["q"]),
        language=text_search_language(city.languages[0]),
        is_merged=values["merged"],
        is_suspected=values["suspected"],
        is_test=values["test"],
        is_held=values["held"],
        has_personal_data=values["personal_data"],
        after=_key(values["cursor"]),
        page_size=values["page_size"],
    )
    if search.after is not None and search.after.is_by_closing != search.is_by_closing:
        raise Invalid(BAD_CURSOR, "cursor")
    return search


def find_queue(platform: Platform, search: QueueSearch, now: datetime) -> QueuePage:
    """One page of a queue: the earliest due date first, requests without a date last.

    Closed requests are listed by the time of their closing, the newest first.
    """
    rows = queues.find_queue(platform.database.hot, search, now)
    shown = rows[: search.page_size]
    names = accounts.names_of(platform.database.hot.rows, {row.assignee for row in shown})
    return QueuePage(shown, names, key_of(search, shown[-1]) if len(rows) > len(shown) else None)


def find_around(
    platform: Platform, city: Jurisdiction, circle: Circle, *, most: int, principal: Principal
) -> QueuePage:
    """The open requests of the account's departments in a circle, nearest first, each with `metres`."""
    require_role(principal, Role.READER)
    require_city(principal, city.id)
    departments = sorted(principal.scope.departments) or None
    rows = queues.find_around(platform.database.hot, city.id, circle, departments, most=most)
    return QueuePage(rows, accounts.names_of(platform.database.hot.rows, {row.assignee for row in rows}))


def count_queues(platform: Platform, city: Jurisdiction, *, principal: Principal, now: datetime) -> Counted:
    """Count the requests of each of the account's departments, in the order of their codes.

    The numbers of open requests are stored counts, plus the changes that are not in them yet, if these are few.
    """
    require_role(principal, Role.READER)
    require_city(principal, city.id)
    with platform.database.snapshot() as connection:
        kept, behind = counts.current_counts(connection, city.id)
        photos = media.count_held(connection, city.id)
    special = queues.count_special(platform.database.hot, city.id, now)
    known = {department.code for department in city.departments} | {department for department, _ in kept}
    known |= {code for _, code in special} | photos.keys()
    codes = [code for code in sorted(known) if principal.scope.covers_department(code)]
    found = (replace(_count_of(code, kept, special), held_photos=photos.get(code, 0)) for code in codes)
    return Counted(
        tuple(one for one in found if one.department or one.open or one.merged or one.held_photos), behind
    )


def _count_of(
    code: str, kept: Mapping[tuple[str, str], int], special: Mapping[tuple[str, str], int]
) -> DepartmentCount:
    is_open = max(0, kept.get((code, Status.OPEN), 0) - special.get(("test", code), 0))
    return DepartmentCount(
        department=code,
        open=is_open,
        merged=kept.get((code, MERGED), 0),
        overdue=special.get(("overdue", code), 0),
        unassigned=max(0, is_open - special.get(("assigned", code), 0)),
        triage=special.get(("triage", code), 0),
        suspected=special.get(("suspected", code), 0),
    )


def _departments(
    platform: Platform, city: Jurisdiction, wanted: Sequence[str], principal: Principal
) -> tuple[str, ...] | None:
    """The departments of a queue; None for all.

    Raises Invalid for an unknown department, and Forbidden if the account does not work for it. A department that
    the city has given up is still known if requests were counted for it.
    """
    mine = principal.scope.departments
    known = [department.code for department in city.departments]
    for code in wanted:
        if mine and code not in mine:
            named = {"departments": ", ".join(sorted(mine)), "code": code[:60]}
            raise Forbidden(tell("this account works for {departments}, not for {code}.", **named), "department")
        if code not in known and code not in _former_departments(platform, city):
            named = {"code": code[:60], "city": city.id, "known": ", ".join(known)}
            raise Invalid(tell("{code!r} is no department of {city}; use one of {known}.", **named), "department")
    return tuple(wanted) or tuple(sorted(mine)) or None


def _former_departments(platform: Platform, city: Jurisdiction) -> set[str]:
    with platform.database.reading() as connection:
        return counts.departments(connection, city.id)


def _all_departments(platform: Platform, city: Jurisdiction, search: QueueSearch) -> QueueSearch:
    """The search with a list of all departments, because the index of closed requests begins with departments."""
    if search.departments is not None:
        return search
    known = {department.code for department in city.departments} | _former_departments(platform, city) | {""}
    return replace(search, departments=tuple(sorted(known)))


def _area(city: Jurisdiction, name: str) -> str:
    if name and name not in city.areas:
        named = {"name": name[:60], "city": city.id}
        raise Invalid(tell("{name!r} is no area of {city}; see `areas` of its requests.", **named), "area")
    return name


def _assignee(platform: Platform, city: Jurisdiction, name: str, principal: Principal) -> str | None:
    """The account in the filter `assignee`, as `str(account)`; "" for nobody; None for all."""
    if not name:
        return None
    if name == NOBODY:
        return ""
    if name == ME:
        return str(principal)
    with platform.database.reading() as connection:
        account = accounts.find_account(connection, city.id, name, is_revoked_too=True)
    if account is None:
        named = {"name": name[:60], "city": city.id}
        raise Invalid(tell("{name!r} is no account of {city}; send me, none, or a name.", **named), "assignee")
    return str(account)


def _key(cursor: str) -> QueueKey | None:
    try:
        return QueueKey.read(cursor) if cursor else None
    except ValueError:
        raise Invalid(BAD_CURSOR, "cursor") from None


def key_of(search: QueueSearch, row: QueueRow | CachedRow) -> QueueKey:
    """The key of a row."""
    is_by_closing = search.is_by_closing
    return QueueKey(row.updated_at if is_by_closing else row.expected_at, row.number, is_by_closing)
