"""The tables of subscriptions, of their webhooks, and of what subscribers are still to be told."""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from open311.storage.tables.columns import TransactionId, instant_column, metadata, text_column

_COLLECTS = text("state IN ('active', 'paused')")

# Who is told of changes of which requests. The filter of a subscription never changes.
subscription = Table(
    "subscription",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    text_column("name", None),  # the public id
    text_column("target", None),  # how the subscriber is told, such as webhook
    text_column("state", None),
    Column("api_key_id", BigInteger),  # the owner; NULL for a person without a key
    Column("follower_id", BigInteger),  # the person who gets mail; NULL for the holder of a key
    text_column("label"),
    instant_column("created_at"),
    instant_column("changed_at"),  # when the state changed last
    Column("request_id", BigInteger),  # the only request; NULL for any
    text_column("service_request_id"),
    Column("service_codes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    text_column("service_group"),
    Column("statuses", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    text_column("department"),
    text_column("area"),
    Column("bbox", ARRAY(Double)),  # west, south, east, north
    Column("circle", ARRAY(Double)),  # long, lat, radius in metres
    Column("match_keys", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # see domain.subscriptions
    Column("shape", Geometry(srid=4326, spatial_index=False)),  # the box, or the box around the circle
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "name"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(
        ["jurisdiction_id", "follower_id"], ["follower.jurisdiction_id", "follower.id"], ondelete="CASCADE"
    ),
)
Index(
    "subscription_keys_idx",
    subscription.c.match_keys,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
    postgresql_where=_COLLECTS,
)
Index(
    "subscription_shape_idx",
    subscription.c.jurisdiction_id,
    subscription.c.shape,
    postgresql_using="gist",
    postgresql_where=_COLLECTS,
)
Index(
    "subscription_owner_idx",
    subscription.c.api_key_id,
    subscription.c.jurisdiction_id,
    subscription.c.id,
)
Index(
    "subscription_request_idx",
    subscription.c.jurisdiction_id,
    subscription.c.request_id,
    postgresql_where=text("request_id IS NOT NULL"),
)
Index(
    "subscription_follower_idx",
    subscription.c.jurisdiction_id,
    subscription.c.follower_id,
    unique=True,
    postgresql_where=text("follower_id IS NOT NULL"),
)

# The address of a subscription's receiver, and how sending to it goes.
webhook = Table(
    "webhook",
    metadata,
    text_column("jurisdiction_id", None),
    Column("subscription_id", BigInteger, nullable=False),
    text_column("url", None),
    text_column("secret", None),
    text_column("old_secret"),  # it also signs until `old_secret_until`
    instant_column("old_secret_until", nullable=True),
    text_column("challenge"),  # what the receiver must answer; "" once it has
    instant_column("next_at"),  # nothing is sent earlier; while a worker sends, its lease
    Column("failures", BigInteger, nullable=False, server_default=text("0")),
    instant_column("failing_since", nullable=True),
    text_column("cause"),  # of the last failure, or why it is disabled
    instant_column("succeeded_at", nullable=True),
    Column("sent", BigInteger, nullable=False, server_default=text("0")),
    Column("replayed_by", TransactionId),  # a replay goes on after this position in the change feed; NULL for none
    Column("replayed_number", BigInteger),
    PrimaryKeyConstraint("jurisdiction_id", "subscription_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "subscription_id"],
        ["subscription.jurisdiction_id", "subscription.id"],
        ondelete="CASCADE",
    ),
)
IS_BEGINNING = "challenge <> '' OR replayed_by IS NOT NULL"
"""Whether a webhook has something to send without a notification: a challenge, or the next part of a replay."""
Index("webhook_next_idx", webhook.c.next_at, postgresql_where=text(IS_BEGINNING))

# What a subscriber is still to be told about a request. The newest version is read when it is sent.
notification = Table(
    "notification",
    metadata,
    text_column("jurisdiction_id", None),
    Column("subscription_id", BigInteger, nullable=False),
    Column("request_id", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("1")),  # grows with each change
    Column("is_gone", Boolean, nullable=False, server_default=text("false")),  # the filter does not match any more
    Column("changes", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # kinds of public events
    instant_column("created_at"),
    instant_column("due_at"),
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("jurisdiction_id", "subscription_id", "request_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "subscription_id"],
        ["subscription.jurisdiction_id", "subscription.id"],
        ondelete="CASCADE",
    ),
)
Index(
    "notification_due_idx",
    notification.c.jurisdiction_id,
    notification.c.subscription_id,
    notification.c.due_at,
    notification.c.request_id,
)

# Each public request as it was when the filters were last compared with it. With this row, the consumer finds the
# subscribers who must be told that a request has left their filter.
announced_request = Table(
    "announced_request",
    metadata,
    text_column("jurisdiction_id", None),
    Column("request_id", BigInteger, nullable=False),
    Column("written_by", TransactionId, nullable=False),  # as in the publication
    text_column("service_code", None),
    text_column("status", None),
    text_column("department", None),
    Column("areas", ARRAY(Text), nullable=False),
    Column("lat", Double),
    Column("long", Double),
    PrimaryKeyConstraint("jurisdiction_id", "request_id"),
)
