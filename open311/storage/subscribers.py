"""Which subscriptions match changed requests. Indexes find the subscriptions, so all others cost nothing.

`announced_request` has each public request as the filters saw it last. So a subscriber is also told of a request
that has left the filter: of one that is hidden, erased, or has another service, status, department or place now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Delete,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    delete,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert

from open311.domain.places import Place
from open311.domain.subscriptions import Traits, keys_of_request
from open311.storage.tables import announced_request, publication, published_department

CONSUMER = "subscriptions"
"""The name of the consumer that announces changes. Changes that it failed on are stored with this name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the public sees it, or as the filters saw it last.

    written_by  the transaction that wrote this public version, as in the change feed
    """

    traits: Traits
    written_by: int


_CITY = bindparam("city", type_=Text)
_NUMBERS = any_(bindparam("numbers", type_=ARRAY(BigInteger)))
Groups = Mapping[str, str]
"""The group of each service, by the service's code."""


def public_number(connection: Connection, jurisdiction_id: str, service_request_id: str) -> int | None:
    """The number of the public request with this id; None if there is none."""
    columns = publication.c
    query = select(columns.id).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.service_request_id == service_request_id,
        columns.visibility == literal_column("'public'"),
    )
    found: int | None = connection.execute(query).scalar_one_or_none()
    return found


def announced(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], groups: Groups
) -> dict[int, Seen]:
    """The requests as the filters saw them last, by number. Their rows stay locked until the transaction ends."""
    return _seen(connection.execute(_announced(), _requests(jurisdiction_id, numbers)), groups)


def published(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], groups: Groups
) -> dict[int, Seen]:
    """Those of the requests that are public now, by number."""
    return _seen(connection.execute(_published(), _requests(jurisdiction_id, numbers)), groups)


def _requests(jurisdiction_id: str, numbers: Collection[int]) -> dict[str, Any]:
    """The parameters of statements about some requests."""
    return {"city": jurisdiction_id, "numbers": sorted(numbers)}


@cache
def _announced() -> Select[Any]:
    columns = announced_request.c
    traits = (columns.service_code, columns.status, columns.department, columns.areas, columns.lat, columns.long)
    written_by = cast(columns.written_by, Text).label("written_by")
    return (
        select(columns.request_id.label("number"), written_by, *traits)
        .where(columns.jurisdiction_id == _CITY, columns.request_id == _NUMBERS)
        .order_by(columns.request_id)
        .with_for_update()
    )


@cache
def _published() -> Select[Any]:
    columns = publication.c
    department = published_department.label("department")
    traits = (columns.service_code, columns.status, department, columns.areas, columns.lat, columns.long)
    written_by = cast(columns.written_by, Text).label("written_by")
    return select(columns.id.label("number"), written_by, *traits).where(
        columns.jurisdiction_id == _CITY,
        columns.id == _NUMBERS,
        columns.visibility == literal_column("'public'"),
    )


def announce(
    connection: Connection, jurisdiction_id: str, seen: Mapping[int, Seen], numbers: Collection[int]
) -> None:
    """Store how the filters have seen these requests now. Those that are not in `seen` are not public any more."""
    gone = sorted(set(numbers) - seen.keys())
    if gone:
        connection.execute(_forget(), _requests(jurisdiction_id, gone))
    rows = [
        {
            "jurisdiction_id": jurisdiction_id,
            "request_id": number,
            "written_by": str(one.written_by),
            "service_code": one.traits.service_code,
            "status": one.traits.status,
            "department": one.traits.department,
            "areas": list(one.traits.areas),
            "lat": one.traits.place.lat,
            "long": one.traits.place.long,
        }
        for number, one in sorted(seen.items())
        if number in numbers
    ]
    if rows:
        connection.execute(_announce(), rows)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a public request, for the subscriptions that match it.

    before  the traits that the filters saw last; None if the request was not public
    after   the present traits; None if the request is not public now
    kinds   the kinds of the public events of the change
    """

    before: Traits | None
    after: Traits | None
    kinds: tuple[str, ...]


def notify(connection: Connection, jurisdiction_id: str, changes: Sequence[Change], now: datetime) -> list[int]:
    """Store a notification for each subscriber whose filter matches a request, or matched it before.

    Returns the number of the subscription for each of the notifications.

    This is one statement. A notification that waits already is changed, so that a subscriber is told only once.
    The statement locks the subscriptions before their notifications, as a deletion of subscriptions does. Otherwise
    the two could be in a deadlock. A subscription that is deleted meanwhile is left out.
    """
    states = [
        _state(jurisdiction_id, one, traits, is_now=traits is one.after)
        for one in changes
        for traits in (one.before, one.after)
        if traits is not None
    ]
    if not states:
        return []
    values = {"jurisdiction_id": jurisdiction_id, "states": states, "now": now}
    return list(connection.execute(_NOTIFY, values).scalars())


def notify_again(
    connection: Connection,
    jurisdiction_id: str,
    subscription: int,
    numbers: Sequence[int],
    groups: Groups,
    now: datetime,
) -> None:
    """Store notifications for one subscriber about requests that were public once, with their present state.

    A request that does not match now is reported as withdrawn if it is not public any more, or if its history shows
    that it may have matched before.
    """
    seen = published(connection, jurisdiction_id, numbers, groups)
    found = {number: seen[number].traits if number in seen else _nothing(number) for number in numbers}
    states = [_state(jurisdiction_id, None, found[number], is_now=number in seen) for number in numbers]
    values = {"jurisdiction_id": jurisdiction_id, "states": states, "now": now, "subscription": subscription}
    connection.execute(_NOTIFY_AGAIN, values)


def _nothing(number: int) -> Traits:
    """The traits of a request that is not public."""
    return Traits(number=number, service_code="", group="", status="", department="", areas=(), place=Place())


def _state(jurisdiction_id: str, change: Change | None, traits: Traits, *, is_now: bool) -> dict[str, Any]:
    return {
        "number": traits.number,
        "is_now": is_now,
        "service_code": traits.service_code,
        "service_group": traits.group,
        "status": traits.status,
        "department": traits.department,
        "areas": traits.areas,
        "long": traits.place.long,
        "lat": traits.place.lat,
        "kinds": change.kinds if change else (),
        "keys": keys_of_request(jurisdiction_id, traits),
    }


def _seen(rows: Iterable[Any], groups: Groups) -> dict[int, Seen]:
    return {
        row.number: Seen(
            Traits(
                number=row.number,
                service_code=row.service_code,
                group=groups.get(row.service_code, ""),
                status=row.status,
                department=row.department,
                areas=tuple(row.areas),
                place=Place(lat=row.lat, long=row.long),
            ),
            int(row.written_by),
        )
        for row in rows
    }


@cache
def _forget() -> Delete:
    columns = announced_request.c
    return delete(announced_request).where(columns.jurisdiction_id == _CITY, columns.request_id == _NUMBERS)


@cache
def _announce() -> Insert:
    statement = insert(announced_request)
    changed = {
        column.name: statement.excluded[column.name]
        for column in announced_request.c
        if column.name not in ("jurisdiction_id", "request_id")
    }
    return statement.on_conflict_do_update(index_elements=["jurisdiction_id", "request_id"], set_=changed)


_COMPARED = """
    s.jurisdiction_id = :jurisdiction_id AND s.state IN ('active', 'paused')
    AND (s.request_id IS NULL OR s.request_id = state.number)
    AND (s.service_codes = '{}' OR state.service_code = ANY (s.service_codes))
    AND (s.service_group = '' OR s.service_group = state.service_group)
    AND (s.statuses = '{}' OR state.status = ANY (s.statuses))
    AND (s.department = '' OR s.department = state.department)
    AND (s.area = '' OR s.area = ANY (state.areas))
    AND (s.bbox IS NULL OR (state.lat BETWEEN s.bbox[2] AND s.bbox[4] AND CASE WHEN s.bbox[1] <= s.bbox[3]
        THEN state.long BETWEEN s.bbox[1] AND s.bbox[3]
        ELSE state.long >= s.bbox[1] OR state.long <= s.bbox[3] END))
    AND (s.circle IS NULL OR ST_DWithin(state.point::geography,
        ST_SetSRID(ST_MakePoint(s.circle[1], s.circle[2]), 4326)::geography, s.circle[3]))
"""
"""The whole filter. Each of the two SELECTs in `_PAIRS` first finds candidates with its own index."""
_STATE = """
state AS MATERIALIZED (
    SELECT *, CASE WHEN long IS NOT NULL THEN ST_SetSRID(ST_MakePoint(long, lat), 4326) END AS point
    FROM jsonb_to_recordset(:states) AS sent (number bigint, is_now boolean, service_code text, service_group text,
        status text, department text, areas text[], long double precision, lat double precision, kinds text[],
        keys text[])
)
"""
_PAIRS = f"""
{_STATE},
pair AS (
    SELECT found.id AS subscription_id, state.number AS request_id, state.is_now, state.kinds
    FROM state CROSS JOIN LATERAL (
        SELECT s.id FROM subscription s WHERE s.match_keys && state.keys AND {_COMPARED}
        UNION ALL
        SELECT s.id FROM subscription s WHERE s.shape && state.point AND {_COMPARED}
    ) AS found
)
"""  # noqa: S608  # only constants
_NOTIFY = text(
    f"""
WITH {_PAIRS},
kept AS (
    SELECT s.id FROM subscription s
    WHERE s.jurisdiction_id = :jurisdiction_id AND s.id = ANY (ARRAY(SELECT subscription_id FROM pair))
    ORDER BY s.id FOR KEY SHARE
)
INSERT INTO notification AS waiting
        (jurisdiction_id, subscription_id, request_id, is_gone, changes, created_at, due_at)
    SELECT :jurisdiction_id, subscription_id, request_id, NOT bool_or(is_now), max(kinds), :now, :now
    FROM pair JOIN kept ON kept.id = subscription_id
    GROUP BY subscription_id, request_id ORDER BY subscription_id, request_id
ON CONFLICT (jurisdiction_id, subscription_id, request_id) DO UPDATE SET
    revision = waiting.revision + 1,
    is_gone = excluded.is_gone,
    changes = waiting.changes || ARRAY(SELECT unnest(excluded.changes) EXCEPT SELECT unnest(waiting.changes)),
    due_at = excluded.due_at,
    attempts = 0
RETURNING subscription_id
"""  # noqa: S608
).bindparams(bindparam("states", type_=JSONB), bindparam("jurisdiction_id", type_=Text))
_NOTIFY_AGAIN = text(
    f"""
WITH {_STATE},
compared AS (
    SELECT s.id, state.number, state.is_now AND coalesce({_COMPARED}, false) AS matches, state.is_now, EXISTS (
        SELECT FROM request_event e
        WHERE e.jurisdiction_id = :jurisdiction_id AND e.request_id = state.number AND e.version <> 1
            AND e.kind IN ('transferred', 'service', 'corrected', 'areas', 'imported', 'status')
    ) AS has_moved
    FROM state JOIN subscription s ON s.jurisdiction_id = :jurisdiction_id AND s.id = :subscription
    WHERE s.request_id IS NULL OR s.request_id = state.number
)
INSERT INTO notification (jurisdiction_id, subscription_id, request_id, is_gone, created_at, due_at)
    SELECT :jurisdiction_id, id, number, NOT matches, :now, :now
    FROM compared WHERE matches OR NOT is_now OR has_moved ORDER BY number
ON CONFLICT DO NOTHING
"""  # noqa: S608
).bindparams(bindparam("states", type_=JSONB), bindparam("jurisdiction_id", type_=Text))
