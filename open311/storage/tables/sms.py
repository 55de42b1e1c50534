"""The tables of text messages: those to send, and the numbers that get none."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    text,
)

from open311.storage.tables.columns import instant_column, metadata, text_column

# A message to send, or sent in the last days. Its phone number and its text are read only when it is sent.
sms = Table(
    "sms",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    text_column("occasion", None),  # see domain.sms.SmsOccasion
    Column("recipient", LargeBinary),  # a digest of the phone number; NULL until the first try
    text_column("state", "waiting"),
    instant_column("created_at"),
    instant_column("due_at"),
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    text_column("cause"),
    instant_column("ended_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("sms_due_idx", sms.c.due_at, sms.c.id, postgresql_where=text("state IN ('waiting', 'sending')"))
Index("sms_request_idx", sms.c.jurisdiction_id, sms.c.request_id)
IS_UNTRIED = "state = 'waiting' AND recipient IS NULL"
"""Which messages also tell of a further change: those that nobody has tried to send."""
Index(
    "sms_untried_idx",
    sms.c.jurisdiction_id,
    sms.c.request_id,
    sms.c.occasion,
    unique=True,
    postgresql_where=text(IS_UNTRIED),
)
IS_SENT = "state IN ('sending', 'done')"
Index(
    "sms_recipient_idx",
    sms.c.jurisdiction_id,
    sms.c.recipient,
    sms.c.ended_at,
    postgresql_where=text(IS_SENT),
)
Index("sms_sent_idx", sms.c.jurisdiction_id, sms.c.ended_at, postgresql_where=text(IS_SENT))
Index("sms_ended_idx", sms.c.ended_at, postgresql_where=text("ended_at IS NOT NULL"))

# The numbers whose owners have answered STOP, as digests. The rows are for "*", because all cities share a gateway.
sms_stop = Table(
    "sms_stop",
    metadata,
    text_column("jurisdiction_id", None),
    Column("recipient", LargeBinary, nullable=False),
    instant_column("stopped_at"),
    PrimaryKeyConstraint("jurisdiction_id", "recipient"),
)
