"""Webhooks of subscriptions: their receivers, and what is still to be sent to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
    union,
    update,
)

from open311.domain.subscriptions import Subscription, SubscriptionState, Target, Webhook
from open311.storage import subscriptions
from open311.storage.hot.changes import BEGINNING, Position
from open311.storage.notifications import Place, of_place
from open311.storage.tables import TransactionId, api_key, notification, publication, subscription, webhook
from open311.storage.tables.subscriptions import IS_BEGINNING

_SENDING = (SubscriptionState.ACTIVE, SubscriptionState.UNVERIFIED)
_COLUMNS = tuple(
    column for column in webhook.c if column.name not in ("jurisdiction_id", "subscription_id", "replayed_number")
)


@dataclass(frozen=True, slots=True)
class Owned:
    """A subscription with its webhook.

    waiting  the number of its notifications, which is the number of requests; at most `MOST_WAITING`
    """

    subscription: Subscription
    webhook: Webhook
    waiting: int = 0


MOST_WAITING = 10_000


def add_webhook(connection: Connection, place: Place, added: Webhook, replayed: Position | None) -> None:
    """Store the webhook of a new subscription.

    replayed  the position in the change feed after which changes are told; None for those from now on
    """
    city, number = place
    values: dict[str, Any] = {
        "jurisdiction_id": city,
        "subscription_id": number,
        "url": added.url,
        "secret": added.secret,
        "challenge": added.challenge,
        "next_at": added.next_at,
    }
    connection.execute(insert(webhook).values(values | _position(replayed)))


def replay(connection: Connection, place: Place, position: Position | None) -> None:
    """Tell the changes after a position again; None for those from now on.

    A replay that has not reached this position yet stays as it is, because it will tell these changes too.
    """
    columns = webhook.c
    new = _position(position)
    is_running = and_(
        columns.replayed_by.is_not(None),
        tuple_(columns.replayed_by, columns.replayed_number) < tuple_(new["replayed_by"], new["replayed_number"]),
    )
    connection.execute(
        update(webhook).where(_is(place), ~func.coalesce(is_running, literal_column("false"))).values(new)
    )


def _position(position: Position | None) -> dict[str, Any]:
    """A position as values of its columns. None: the end of the feed, before all transactions in progress."""
    if position is None:
        horizon = func.pg_snapshot_xmin(func.pg_current_snapshot())
        return {"replayed_by": horizon, "replayed_number": literal_column(str(BEGINNING.number), BigInteger)}
    written_by = cast(bindparam(None, str(position.written_by), Text), TransactionId)
    return {"replayed_by": written_by, "replayed_number": bindparam(None, position.number, BigInteger)}


def replay_undelivered(connection: Connection, place: Place) -> None:
    """Replace all notifications of a subscription by a replay that begins before the oldest of them."""
    oldest = (
        select(func.min(publication.c.written_by))
        .join_from(
            notification,
            publication,
            and_(
                publication.c.jurisdiction_id == notification.c.jurisdiction_id,
                publication.c.id == notification.c.request_id,
            ),
        )
        .where(of_place(place))
        .scalar_subquery()
    )
    horizon = func.pg_snapshot_xmin(func.pg_current_snapshot())
    columns = webhook.c
    begins = func.least(columns.replayed_by, oldest, horizon)
    connection.execute(
        update(webhook).where(_is(place)).values(replayed_by=begins, replayed_number=BEGINNING.number)
    )
    connection.execute(delete(notification).where(of_place(place)))


def find(
    connection: Connection, jurisdiction_id: str, name: str, *, owner: int | None = None, is_locked: bool = False
) -> Owned | None:
    """The subscription with this public id. `owner`: the number of the key that must own it; None for any."""
    columns = subscription.c
    query = _owned().where(columns.jurisdiction_id == jurisdiction_id, columns.name == name)
    if owner is not None:
        query = query.where(columns.api_key_id == owner)
    row = connection.execute(query.with_for_update(of=webhook) if is_locked else query).one_or_none()
    return _owned_of(row) if row else None


def list_of_owner(connection: Connection, jurisdiction_id: str, owner: int) -> list[Owned]:
    """The subscriptions of a key in a city, oldest first."""
    columns = subscription.c
    query = (
        _owned().where(columns.jurisdiction_id == jurisdiction_id, columns.api_key_id == owner).order_by(columns.id)
    )
    return [_owned_of(row) for row in connection.execute(query)]


def list_all(
    connection: Connection, jurisdiction_ids: Sequence[str], *, rows: int, after: Place | None = None
) -> list[Owned]:
    """The next subscriptions with webhooks in these cities, in order. `after`: the last one of the page before."""
    columns = subscription.c
    query = _owned().where(columns.jurisdiction_id == any_(bindparam(None, list(jurisdiction_ids), ARRAY(Text))))
    if after is not None:
        query = query.where(tuple_(columns.jurisdiction_id, columns.id) > tuple_(*after))
    query = query.order_by(columns.jurisdiction_id, columns.id).limit(rows)
    return [_owned_of(row) for row in connection.execute(query)]


def save(connection: Connection, place: Place, changed: Webhook) -> None:
    """Store how sending goes, after a try or after a decision of the owner."""
    connection.execute(
        update(webhook)
        .where(_is(place))
        .values(
            secret=changed.secret,
            old_secret=changed.old_secret,
            old_secret_until=changed.old_secret_until,
            challenge=changed.challenge,
            next_at=changed.next_at,
            failures=changed.failures,
            failing_since=changed.failing_since,
            cause=changed.cause,
            succeeded_at=changed.succeeded_at,
            sent=changed.sent,
        )
    )


def due_places(connection: Connection, now: datetime, rows: int) -> list[Place]:
    """The subscriptions to whose webhooks something must be sent now, those that have waited longest first.

    The cost grows with the number of subscriptions for which something waits, and not with all of them.
    """
    columns, waiting = webhook.c, _waiting()
    has_due = (
        select(notification.c.request_id)
        .where(
            notification.c.jurisdiction_id == waiting.c.jurisdiction_id,
            notification.c.subscription_id == waiting.c.subscription_id,
            notification.c.due_at <= now,
        )
        .exists()
    )
    candidates = union(
        select(waiting.c.jurisdiction_id, waiting.c.subscription_id).where(has_due),
        select(columns.jurisdiction_id, columns.subscription_id).where(text(IS_BEGINNING), columns.next_at <= now),
    ).subquery("candidates")
    is_candidate = and_(
        columns.jurisdiction_id == candidates.c.jurisdiction_id,
        columns.subscription_id == candidates.c.subscription_id,
    )
    query = (
        select(columns.jurisdiction_id, columns.subscription_id)
        .join_from(candidates, webhook, is_candidate)
        .join(subscription, _joined())
        .where(columns.next_at <= now, subscription.c.state.in_(_SENDING), _has_valid_key())
        .order_by(columns.next_at)
        .limit(rows)
    )
    return [(row.jurisdiction_id, row.subscription_id) for row in connection.execute(query)]


def _waiting() -> CTE:
    """Each subscription that has notifications. Each takes one step in an index, however many these are."""
    first = (notification.c.jurisdiction_id, notification.c.subscription_id)
    one: ColumnElement[int] = literal_column("1")
    found = select(*first).order_by(*first).limit(one).cte("waiting", recursive=True)
    others = notification.alias("others").c
    other = (others.jurisdiction_id, others.subscription_id)
    is_later = tuple_(*other) > tuple_(found.c.jurisdiction_id, found.c.subscription_id)
    later = select(*other).where(is_later).order_by(*other).limit(one).lateral("later")
    return found.union_all(
        select(later.c.jurisdiction_id, later.c.subscription_id).select_from(found.join(later, true()))
    )


def claim(connection: Connection, place: Place, now: datetime, lease: datetime) -> Owned | None:
    """Claim a webhook until `lease`. None if another worker has it, or if nothing may be sent now."""
    query = _owned().where(
        _is(place), webhook.c.next_at <= now, subscription.c.state.in_(_SENDING), _has_valid_key()
    )
    row = connection.execute(query.with_for_update(of=webhook, skip_locked=True)).one_or_none()
    if row is None:
        return None
    connection.execute(update(webhook).where(_is(place)).values(next_at=lease))
    return _owned_of(row)


def held(connection: Connection, place: Place, lease: datetime) -> Owned | None:
    """The webhook that this worker has claimed, locked; None if the claim does not hold any more."""
    query = _owned().where(_is(place), webhook.c.next_at == lease, subscription.c.state.in_(_SENDING))
    row = connection.execute(query.with_for_update(of=webhook)).one_or_none()
    return _owned_of(row) if row else None


def release(connection: Connection, place: Place, lease: datetime, next_at: datetime) -> None:
    """Set the time of the next try, if the claim with this lease still holds."""
    connection.execute(update(webhook).where(_is(place), webhook.c.next_at == lease).values(next_at=next_at))


@dataclass(frozen=True, slots=True)
class Replayed:
    """The next requests of a replay. `is_over`: no further change waits, not even in a transaction in progress."""

    numbers: list[int]
    reached: Position | None
    is_over: bool


def next_of_replay(connection: Connection, place: Place, rows: int) -> Replayed | None:
    """The next requests that a subscriber is told again; None if it has no replay."""
    columns = publication.c
    position = connection.execute(
        select(cast(webhook.c.replayed_by, Text), webhook.c.replayed_number).where(
            _is(place), webhook.c.replayed_by.is_not(None)
        )
    ).one_or_none()
    if position is None:
        return None
    after = tuple_(
        cast(bindparam(None, position[0], Text), TransactionId), bindparam(None, position[1], BigInteger)
    )
    horizon = func.pg_snapshot_xmin(func.pg_current_snapshot())
    newer = and_(
        columns.jurisdiction_id == place[0], columns.was_public, tuple_(columns.written_by, columns.id) > after
    )
    found = connection.execute(
        select(columns.id, cast(columns.written_by, Text).label("written_by"))
        .where(newer, columns.written_by < horizon)
        .order_by(columns.written_by, columns.id)
        .limit(rows)
    ).all()
    is_held = connection.execute(select(select(columns.id).where(newer, columns.written_by >= horizon).exists()))
    return Replayed(
        [row.id for row in found],
        Position(int(found[-1].written_by), found[-1].id) if found else None,
        is_over=len(found) < rows and not is_held.scalar_one(),
    )


def advance_replay(connection: Connection, place: Place, found: Replayed) -> None:
    """Store how far a replay has come, or that it is over."""
    values: dict[str, Any] = {"replayed_by": None, "replayed_number": None}
    if not found.is_over:
        values = _position(found.reached) if found.reached else {}
    if values:
        connection.execute(update(webhook).where(_is(place)).values(values))


def delete_old(connection: Connection, unverified_before: datetime) -> int:
    """Delete unverified subscriptions that were made before an instant, and those of revoked keys.

    Returns the number of deleted subscriptions.

    It locks them in the order in which `subscribers.notify` does, so that both cannot be in a deadlock.
    """
    owned = subscription.c
    is_revoked = (
        select(api_key.c.id).where(api_key.c.id == owned.api_key_id, api_key.c.revoked_at.is_not(None)).exists()
    )
    is_unverified = and_(
        owned.target == Target.WEBHOOK,
        owned.state == SubscriptionState.UNVERIFIED,
        owned.created_at < unverified_before,
    )
    key = owned.jurisdiction_id, owned.id
    old = select(*key).where(or_(is_unverified, is_revoked)).order_by(*key).with_for_update().cte("old")
    return connection.execute(delete(subscription).where(tuple_(*key).in_(select(old)))).rowcount


def paused_before(connection: Connection, before: datetime) -> list[Place]:
    """The subscriptions that have been paused since before this time."""
    columns = subscription.c
    query = select(columns.jurisdiction_id, columns.id).where(
        columns.state == SubscriptionState.PAUSED, columns.changed_at < before
    )
    return [(row.jurisdiction_id, row.id) for row in connection.execute(query)]


def dead(connection: Connection, failing_since: datetime) -> dict[str, dict[str, int]]:
    """The receivers of each city: how many have failed since `failing_since` or longer, and how many were given up.

    The keys of the inner mapping are `failing` and `disabled`.

    A disabled subscription counts only if the last try had failed. So one that an operator has disabled, or that
    was paused for too long, usually does not count.
    """
    rows = connection.execute(
        text(
            "SELECT s.jurisdiction_id, s.state = 'disabled' AS is_disabled, count(*) AS receivers"
            " FROM subscription s JOIN webhook w"
            " ON w.jurisdiction_id = s.jurisdiction_id AND w.subscription_id = s.id"
            " WHERE w.failures > 0 AND (s.state = 'disabled' OR (s.state = 'active' AND w.failing_since <= :since))"
            " GROUP BY 1, 2"
        ),
        {"since": failing_since},
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.jurisdiction_id, {})["disabled" if row.is_disabled else "failing"] = row.receivers
    return found


@dataclass(frozen=True, slots=True)
class Load:
    """For /metrics: how many subscriptions of a state there are in a city, and what waits for them.

    failing   how many of them have a receiver that failed at the last try
    oldest_s  the age of the oldest notification, in seconds
    """

    jurisdiction_id: str
    state: str
    subscriptions: int
    failing: int
    waiting: int
    oldest_s: float


def loads(connection: Connection) -> list[Load]:
    """The numbers of subscriptions with a webhook, by city and state.

    Of each subscription, at most `MOST_WAITING` notifications are counted.
    """
    rows = connection.execute(
        text(
            "SELECT s.jurisdiction_id, s.state, count(*) AS subscriptions, coalesce(sum(n.waiting), 0) AS waiting,"
            " coalesce(extract(epoch FROM now() - min(n.oldest)), 0) AS oldest_s,"
            " count(*) FILTER (WHERE w.failures > 0) AS failing FROM subscription s JOIN webhook w"
            " ON w.jurisdiction_id = s.jurisdiction_id AND w.subscription_id = s.id LEFT JOIN LATERAL ("
            "SELECT count(*) AS waiting, min(created_at) AS oldest FROM (SELECT created_at FROM notification"
            " WHERE jurisdiction_id = s.jurisdiction_id AND subscription_id = s.id LIMIT :most) AS first) n ON true"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        {"most": MOST_WAITING},
    )
    return [
        Load(
            row.jurisdiction_id,
            row.state,
            row.subscriptions,
            row.failing,
            int(row.waiting),
            max(0.0, float(row.oldest_s)),
        )
        for row in rows
    ]


def _owned() -> Select[Any]:
    """Subscriptions with their webhooks, and the number of their notifications."""
    first = (
        select(notification.c.request_id)
        .where(
            notification.c.jurisdiction_id == subscription.c.jurisdiction_id,
            notification.c.subscription_id == subscription.c.id,
        )
        .limit(literal_column(str(MOST_WAITING)))
        .correlate(subscription)
        .lateral()
    )
    waiting = select(func.count()).select_from(first).scalar_subquery()
    return (
        subscriptions.columns_of_subscription()
        .add_columns(*_COLUMNS, waiting.label("waiting"))
        .join(webhook, _joined())
    )


def _owned_of(row: Row[Any]) -> Owned:
    found = Webhook(
        url=row.url,
        secret=row.secret,
        old_secret=row.old_secret,
        old_secret_until=row.old_secret_until,
        challenge=row.challenge,
        next_at=row.next_at,
        failures=row.failures,
        failing_since=row.failing_since,
        cause=row.cause,
        succeeded_at=row.succeeded_at,
        sent=row.sent,
        is_replaying=row.replayed_by is not None,
    )
    return Owned(subscriptions.subscription_of(row), found, row.waiting)


def _joined() -> ColumnElement[bool]:
    return and_(
        webhook.c.jurisdiction_id == subscription.c.jurisdiction_id, webhook.c.subscription_id == subscription.c.id
    )


def _has_valid_key() -> ColumnElement[bool]:
    columns = api_key.c
    return (
        select(columns.id)
        .where(
            columns.id == subscription.c.api_key_id,
            columns.revoked_at.is_(None),
            columns.suspended_for == literal_column("''"),
        )
        .exists()
    )


def _is(place: Place) -> ColumnElement[bool]:
    return and_(webhook.c.jurisdiction_id == place[0], webhook.c.subscription_id == place[1])
