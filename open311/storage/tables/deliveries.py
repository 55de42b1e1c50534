"""The tables of deliveries to back offices, and of the ids that requests have elsewhere."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from open311.storage.tables.columns import instant_column, metadata, text_column
from open311.storage.tables.requests import HAS_PHOTOS

# A request, or a change of it, on its way to one back office: see domain.deliveries.
delivery = Table(
    "delivery",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    text_column("backend", None),
    text_column("subject", None),  # case or update
    text_column("key", None),
    text_column("state", "waiting"),
    instant_column("created_at"),
    instant_column("due_at"),
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    Column("is_uncertain", Boolean, nullable=False, server_default=text("false")),
    text_column("token"),
    text_column("remote_id"),
    Column("missing", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    text_column("cause"),
    instant_column("ended_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index(
    "delivery_due_idx",
    delivery.c.jurisdiction_id,
    delivery.c.backend,
    delivery.c.due_at,
    delivery.c.id,
    postgresql_where=text("state IN ('waiting', 'sending', 'pending')"),
)
Index("delivery_request_idx", delivery.c.jurisdiction_id, delivery.c.request_id, delivery.c.backend, delivery.c.id)
Index(
    "delivery_ended_idx",
    delivery.c.ended_at,
    postgresql_where=text("subject = 'update' AND ended_at IS NOT NULL"),
)
Index("delivery_key_idx", delivery.c.jurisdiction_id, delivery.c.backend, delivery.c.key)
Index(
    "delivery_stopped_idx",
    delivery.c.jurisdiction_id,
    delivery.c.backend,
    delivery.c.id,
    postgresql_where=text("state IN ('parked', 'uncertain')"),
)
Index(
    "delivery_open_idx",
    delivery.c.jurisdiction_id,
    delivery.c.id,
    postgresql_where=text("state IN ('waiting', 'sending', 'pending', 'uncertain', 'parked')"),
)

# What is known about each back office: its circuit breaker, and the cursor of its updates. The mail server and the
# gateway for text messages have rows too.
destination = Table(
    "destination",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("backend", None),
    Column("failures", BigInteger, nullable=False, server_default=text("0")),
    instant_column("failing_since", nullable=True),
    instant_column("rests_until", nullable=True),
    instant_column("succeeded_at", nullable=True),
    text_column("cause"),
    text_column("cursor"),  # where its next updates begin
    instant_column("pulled_at", nullable=True),
    instant_column("pull_due_at", nullable=True),
    Column("pull_failures", BigInteger, nullable=False, server_default=text("0")),
    text_column("pull_cause"),
    Column("delivered", BigInteger, nullable=False, server_default=text("0")),  # how many it has accepted
    PrimaryKeyConstraint("jurisdiction_id", "backend"),
)

# What back ends keep for themselves. Personal data must not be here, because an erasure does not look here.
backend_value = Table(
    "backend_value",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("backend", None),
    text_column("name", None),
    text_column("value", None),
    PrimaryKeyConstraint("jurisdiction_id", "backend", "name"),
)

# The ids that requests have in other systems. `system` is the name of a back end or of a neighbour, or the key of a
# partner as `key:3`.
external_id = Table(
    "external_id",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("system", None),
    text_column("external_id", None),
    Column("request_id", BigInteger, nullable=False),
    instant_column("at"),
    Column("digest", LargeBinary),  # digest of the report, if a partner sent it with its own id; else NULL
    PrimaryKeyConstraint("jurisdiction_id", "system", "external_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("external_id_request_idx", external_id.c.jurisdiction_id, external_id.c.request_id)
Index("external_id_name_idx", external_id.c.jurisdiction_id, external_id.c.external_id)

# Updates of back offices, as they came. An update is stored first, and applied later.
remote_update = Table(
    "remote_update",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    text_column("backend", None),
    text_column("update_id", None),
    text_column("remote_id"),
    text_column("reference"),
    Column("request_id", BigInteger),  # NULL while no request is known for it
    Column("version", BigInteger, nullable=False, server_default=text("0")),  # the version after the update
    text_column("state", None),
    text_column("status"),
    text_column("description"),
    Column("media_urls", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    instant_column("at", nullable=True),
    instant_column("received_at"),
    instant_column("due_at", nullable=True),  # the time of the next try; NULL for none
    Column("is_snapshot", Boolean, nullable=False, server_default=text("false")),
    Column("is_unreadable", Boolean, nullable=False, server_default=text("false")),
    text_column("digest"),  # the digest of a snapshot
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    text_column("cause"),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "backend", "update_id", "remote_id", "reference", name="remote_update_key"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index(
    "remote_update_request_idx",
    remote_update.c.jurisdiction_id,
    remote_update.c.request_id,
    remote_update.c.backend,
    remote_update.c.at,
)
Index(
    "remote_update_case_idx",
    remote_update.c.jurisdiction_id,
    remote_update.c.backend,
    remote_update.c.remote_id,
    remote_update.c.id,
)
Index(
    "remote_update_due_idx",
    remote_update.c.jurisdiction_id,
    remote_update.c.due_at,
    remote_update.c.id,
    postgresql_where=text("due_at IS NOT NULL"),
)
Index("remote_update_received_idx", remote_update.c.received_at)
Index(
    "remote_update_photos_idx",
    remote_update.c.jurisdiction_id,
    remote_update.c.request_id,
    postgresql_where=text(HAS_PHOTOS),
)
Index(
    "remote_update_quarantined_idx",
    remote_update.c.jurisdiction_id,
    remote_update.c.id,
    postgresql_where=text("state = 'quarantined'"),
)

# What the operator is told about trouble: see domain.notices.
operator_notice = Table(
    "operator_notice",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    text_column("backend", None),
    text_column("kind", None),
    text_column("text", None),
    Column("known", BigInteger, nullable=False, server_default=text("0")),  # how many cases the operator knows
    instant_column("created_at"),
    instant_column("due_at"),
    instant_column("sent_at", nullable=True),
    Column("sent_by", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # mail, webhook
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    text_column("cause"),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
)
Index(
    "operator_notice_backend_idx",
    operator_notice.c.jurisdiction_id,
    operator_notice.c.backend,
    operator_notice.c.id,
)
Index("operator_notice_due_idx", operator_notice.c.due_at, postgresql_where=text("sent_at IS NULL"))
