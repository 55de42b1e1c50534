"""Subscriptions and their filters. The module `subscribers` finds the subscriptions that match a request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import NullType

from open311.domain.requests import Status
from open311.domain.search import Box, Circle, box_around, halves
from open311.domain.subscriptions import (
    RequestFilter,
    Subscription,
    SubscriptionState,
    Target,
    keys_of_filter,
)
from open311.storage.tables import subscription

_COLUMNS = tuple(column for column in subscription.c if column.name not in ("match_keys", "shape"))


def add_subscription(
    connection: Connection,
    jurisdiction_id: str,
    *,
    name: str,
    target: Target,
    state: SubscriptionState,
    wanted: RequestFilter,
    owner: int | None = None,
    follower: int | None = None,
    label: str = "",
    now: datetime,
) -> int:
    """Store a subscription, and return its number.

    owner     the number of an api_key; None for a person without a key
    follower  the id of the follower who gets mail; None for the holder of a key
    """
    box = wanted.box or (box_around(wanted.near) if wanted.near else None)
    row = {
        "jurisdiction_id": jurisdiction_id,
        "name": name,
        "target": target,
        "state": state,
        "api_key_id": owner,
        "follower_id": follower,
        "label": label,
        "created_at": now,
        "changed_at": now,
        "request_id": wanted.number,
        "service_request_id": wanted.service_request_id,
        "service_codes": list(wanted.service_codes),
        "service_group": wanted.group,
        "statuses": list(wanted.statuses),
        "department": wanted.department,
        "area": wanted.area,
        "bbox": [wanted.box.west, wanted.box.south, wanted.box.east, wanted.box.north] if wanted.box else None,
        "circle": [wanted.near.long, wanted.near.lat, wanted.near.radius_m] if wanted.near else None,
        "match_keys": list(keys_of_filter(jurisdiction_id, wanted)),
        "outline": _outline(box) if box and wanted.number is None else None,
    }
    return int(connection.execute(_add(), row).scalar_one())


def of_followers(connection: Connection, jurisdiction_id: str, ids: Sequence[int]) -> dict[int, Subscription]:
    """The subscriptions of people who get mail, by the id of the follower."""
    columns = subscription.c
    query = select(*_COLUMNS).where(columns.jurisdiction_id == jurisdiction_id, columns.follower_id == _any(ids))
    return {row.follower_id: subscription_of(row) for row in connection.execute(query)}


def activate_of_follower(connection: Connection, jurisdiction_id: str, id: int, now: datetime) -> None:
    """Activate the subscription of a person, so that notifications are stored for it. Idempotent."""
    columns = subscription.c
    connection.execute(
        update(subscription)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.follower_id == id,
            columns.state == SubscriptionState.UNVERIFIED,
        )
        .values(state=SubscriptionState.ACTIVE, changed_at=now)
    )


def delete_of_followers(connection: Connection, jurisdiction_id: str, ids: Sequence[int]) -> None:
    """Delete the subscriptions of people who get mail."""
    columns = subscription.c
    connection.execute(
        delete(subscription).where(columns.jurisdiction_id == jurisdiction_id, columns.follower_id == _any(ids))
    )


def _any(ids: Sequence[int]) -> Any:
    return any_(bindparam(None, list(ids), ARRAY(BigInteger)))


def count_of_owner(connection: Connection, owner: int) -> int:
    """How many subscriptions a key has, in all cities."""
    query = select(func.count()).select_from(subscription).where(subscription.c.api_key_id == owner)
    return int(connection.execute(query).scalar_one())


def set_state(
    connection: Connection, jurisdiction_id: str, number: int, state: SubscriptionState, now: datetime
) -> None:
    """Change the state of a subscription."""
    connection.execute(update(subscription).where(_is(jurisdiction_id, number)).values(state=state, changed_at=now))


def delete_subscription(connection: Connection, jurisdiction_id: str, number: int) -> None:
    """Delete a subscription, with its webhook and its notifications."""
    connection.execute(delete(subscription).where(_is(jurisdiction_id, number)))


def columns_of_subscription() -> Select[Any]:
    """A SELECT of the columns that `subscription_of` needs."""
    return select(*_COLUMNS)


def subscription_of(row: Row[Any]) -> Subscription:
    """The subscription of a row with the columns of `columns_of_subscription`."""
    values: Any = row._mapping
    return Subscription(
        jurisdiction_id=values["jurisdiction_id"],
        id=values["id"],
        name=values["name"],
        owner=values["api_key_id"],
        follower=values["follower_id"],
        label=values["label"],
        target=Target(values["target"]),
        state=SubscriptionState(values["state"]),
        created_at=values["created_at"],
        changed_at=values["changed_at"],
        wanted=RequestFilter(
            number=values["request_id"],
            service_request_id=values["service_request_id"],
            service_codes=tuple(values["service_codes"]),
            group=values["service_group"],
            statuses=tuple(map(Status, values["statuses"])),
            department=values["department"],
            area=values["area"],
            box=Box(*values["bbox"]) if values["bbox"] else None,
            near=Circle(*values["circle"]) if values["circle"] else None,
        ),
    )


def _is(jurisdiction_id: str, number: int) -> ColumnElement[bool]:
    return (subscription.c.jurisdiction_id == jurisdiction_id) & (subscription.c.id == number)


def _outline(box: Box) -> str:
    """The diagonals of the box's halves as EWKT. A line is valid even if the box has no width."""
    lines = ", ".join(f"({half.west!r} {half.south!r}, {half.east!r} {half.north!r})" for half in halves(box))
    return f"SRID=4326;MULTILINESTRING({lines})"


@cache
def _add() -> ReturningInsert[Any]:
    """The statement that stores a subscription, with its shape for the index.

    The shape of a box across the antimeridian is the whole width of the world, so the index finds the subscription
    for too many requests. The comparison with the whole filter then leaves out the subscriptions that do not match.
    """
    outline = bindparam("outline", type_=Text)
    shape = case(
        (outline.is_(None), literal_column("NULL::geometry")),
        else_=func.ST_Envelope(func.ST_GeomFromEWKT(outline), type_=NullType),
    )
    names = [column.name for column in _COLUMNS if column.name != "id"]
    columns: dict[str, Any] = {name: bindparam(name, type_=subscription.c[name].type) for name in names}
    columns["match_keys"] = bindparam("match_keys", type_=subscription.c.match_keys.type)
    return insert(subscription).values(columns | {"shape": shape}).returning(subscription.c.id)
