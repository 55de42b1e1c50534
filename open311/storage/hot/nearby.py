"""Queries for earlier requests of one service near a point. Only `leading` reads more than publications."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, and_, bindparam, literal_column, or_, select

from open311.domain.search import Circle, box_around, halves
from open311.formats import Format
from open311.storage.geometry import Given, as_it_is, circle_values, distance, unseen, within
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.items import BODY_COLUMNS, EXTRAS_COLUMNS, Items
from open311.storage.hot.statements import Statement
from open311.storage.tables import publication, service_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What to search for: requests of one service, in a circle, since an instant."""

    jurisdiction_id: str
    service_code: str
    circle: Circle
    since: datetime


def find_nearby(
    hot: HotConnections, around: Around, output: Format, *, rows: int, with_extras: bool = False
) -> Items:
    """Open requests that were made since `around.since`, and requests that were closed since then.

    Returns at most `rows` requests, the nearest first. `updated_at` of a closed request is its closing time (A34).
    """
    statement = _nearest(output, _parts(around.circle), with_extras)
    found = hot.read(statement, _values(around) | {"rows": rows})
    return Items.of(found, with_extras=with_extras, with_distance=True)


def find_earliest_open(hot: HotConnections, around: Around) -> str:
    """The id of the earliest open request made since `around.since`; "" if there is none."""
    rows = hot.rows(_earliest(_parts(around.circle)), _values(around))
    return rows[0][0] if rows else ""


def leading(hot: HotConnections, jurisdiction_id: str, service_request_id: str) -> str:
    """The id of the public request that the given request was merged into.

    Returns the given id if there is no such public request. This function reads the record too. Only a
    POST calls it.
    """
    rows = hot.rows(_leading(), {"jurisdiction_id": jurisdiction_id, "service_request_id": service_request_id})
    return rows[0][0] if rows else service_request_id


@cache
def _leading() -> Statement:
    child, parent = service_request.alias("child"), publication.alias("parent")
    query = (
        select(parent.c.service_request_id)
        .select_from(
            child.join(
                parent,
                and_(parent.c.jurisdiction_id == child.c.jurisdiction_id, parent.c.id == child.c.merged_into),
            )
        )
        .where(
            child.c.jurisdiction_id == bindparam("jurisdiction_id"),
            child.c.service_request_id == bindparam("service_request_id"),
            parent.c.visibility == literal_column("'public'"),
        )
    )
    return Statement.of(query, is_prepared=True)


def _parts(circle: Circle) -> int:
    return len(halves(box_around(circle)))


def _values(around: Around) -> dict[str, Any]:
    return circle_values("near", around.circle) | {
        "jurisdiction_id": around.jurisdiction_id,
        "service_code": around.service_code,
        "since": around.since,
    }


@cache
def _nearest(output: Format, parts: int, with_extras: bool) -> Statement:
    columns = publication.c
    is_recent = or_(
        and_(columns.status == literal_column("'open'"), columns.requested_at >= bindparam("since")),
        and_(columns.status == literal_column("'closed'"), columns.updated_at >= bindparam("since")),
    )
    metres = distance(columns.point, "near").label("metres")
    extras = (EXTRAS_COLUMNS[output],) if with_extras else ()
    query = (
        select(BODY_COLUMNS[output], columns.digest, *extras, metres)
        .where(*_near_conditions(parts), is_recent)
        .order_by(metres, columns.id)
        .limit(bindparam("rows", type_=Integer))
    )
    return Statement.of(query)


@cache
def _earliest(parts: int) -> Statement:
    columns = publication.c
    candidates = (
        select(columns.service_request_id, columns.requested_at, columns.id)
        .where(
            *_near_conditions(parts, unseen),
            columns.status == literal_column("'open'"),
            columns.requested_at >= unseen(bindparam("since", type_=columns.requested_at.type)),
        )
        # MATERIALIZED makes the planner use the index by place. Otherwise ORDER BY and LIMIT make it scan by date.
        .cte("candidates")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    first = select(candidates.c.service_request_id).order_by(candidates.c.requested_at, candidates.c.id)
    return Statement.of(first.limit(literal_column("1")), is_prepared=True)


def _near_conditions(parts: int, given: Given = as_it_is) -> list[ColumnElement[bool]]:
    columns = publication.c
    return [
        columns.jurisdiction_id == given(bindparam("jurisdiction_id", type_=Text)),
        columns.visibility == literal_column("'public'"),
        columns.service_code == given(bindparam("service_code", type_=Text)),
        within(columns.point, "near", parts, given),
    ]
