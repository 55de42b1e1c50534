"""The tables of mail: people who follow requests, the mails to send, and what is known about addresses."""

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
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from open311.storage.tables.columns import instant_column, metadata, text_column

# Somebody who gets mail about one request, or about the requests of a subscription. The row is deleted when the
# person leaves.
follower = Table(
    "follower",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger),  # NULL: a subscription has this follower
    text_column("email", None),
    text_column("language", None),  # a BCP 47 tag
    Column("is_reporter", Boolean, nullable=False),
    Column("told_version", BigInteger, nullable=False),  # the version up to which the person knows the changes
    instant_column("created_at"),
    instant_column("confirmed_at", nullable=True),  # NULL until the owner of the address has agreed
    Column("is_daily", Boolean, nullable=False, server_default=text("false")),  # of a subscription: one mail a day
    instant_column("told_at", nullable=True),  # of a subscription: when the last mail about requests was sent
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index(
    "follower_request_idx",
    follower.c.jurisdiction_id,
    follower.c.request_id,
    func.lower(follower.c.email),
    unique=True,
)
Index("follower_email_idx", follower.c.jurisdiction_id, func.lower(follower.c.email), follower.c.request_id)
Index("follower_unconfirmed_idx", follower.c.created_at, postgresql_where=text("confirmed_at IS NULL"))
Index("follower_subscriber_idx", follower.c.confirmed_at, postgresql_where=text("request_id IS NULL"))

# A mail to send, or sent in the last days. It has no address and no text: both are read when it is sent.
mail = Table(
    "mail",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    text_column("kind", None),  # see domain.mails.MailKind
    Column("follower_id", BigInteger),  # NULL for a mail to a department
    text_column("department"),  # "" for a mail to a follower
    Column("numbers", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),  # requests for a department
    Column("recipient", LargeBinary, nullable=False),  # a digest of the address, for counting mails to it
    text_column("state", "waiting"),
    Column("since_version", BigInteger, nullable=False, server_default=text("0")),
    Column("upto_version", BigInteger, nullable=False, server_default=text("0")),  # 0 until the first try
    instant_column("created_at"),
    instant_column("due_at"),
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    text_column("cause"),
    instant_column("ended_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "follower_id"],
        ["follower.jurisdiction_id", "follower.id"],
        ondelete="CASCADE",
    ),
)
Index("mail_due_idx", mail.c.due_at, mail.c.id, postgresql_where=text("state IN ('waiting', 'sending')"))
Index("mail_follower_idx", mail.c.jurisdiction_id, mail.c.follower_id)
Index("mail_recipient_idx", mail.c.jurisdiction_id, mail.c.recipient, mail.c.created_at)
Index(
    "mail_unasked_idx",
    mail.c.jurisdiction_id,
    mail.c.created_at,
    postgresql_where=text("kind IN ('received', 'confirm')"),
)
Index("mail_ended_idx", mail.c.ended_at, postgresql_where=text("ended_at IS NOT NULL"))
IS_OPEN_TO_CHANGES = "kind = 'changes' AND state = 'waiting' AND upto_version = 0"
"""Which mails to followers take further changes: those that nobody has tried to send."""
Index(
    "mail_changes_idx",
    mail.c.jurisdiction_id,
    mail.c.follower_id,
    unique=True,
    postgresql_where=text(IS_OPEN_TO_CHANGES),
)
IS_OPEN_TO_WORK = "department <> '' AND state = 'waiting' AND upto_version = 0"
"""Which mails to departments take further requests."""
Index(
    "mail_department_idx",
    mail.c.jurisdiction_id,
    mail.c.department,
    mail.c.kind,
    unique=True,
    postgresql_where=text(IS_OPEN_TO_WORK),
)

# What is known about an address. Only a digest of the address is stored.
mail_recipient = Table(
    "mail_recipient",
    metadata,
    text_column("jurisdiction_id", None),
    Column("recipient", LargeBinary, nullable=False),
    Column("bounces", BigInteger, nullable=False, server_default=text("0")),
    text_column("stopped_for"),  # bounced or refused; "" if the address may get mail
    instant_column("changed_at"),
    PrimaryKeyConstraint("jurisdiction_id", "recipient"),
)

# Up to when a city's departments were reminded of their work.
mail_reminder = Table(
    "mail_reminder",
    metadata,
    text_column("jurisdiction_id", None),
    instant_column("overdue_at"),
    instant_column("daily_at"),
    PrimaryKeyConstraint("jurisdiction_id"),
)

# One row, for "*": the key of the digests of addresses, and of the signatures of links.
mail_key = Table(
    "mail_key",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("secret", None),
    PrimaryKeyConstraint("jurisdiction_id"),
)
