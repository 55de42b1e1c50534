"""The tables of staff: accounts with their secrets, sessions and views, repeated commands, and the audit trail."""

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
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from open311.storage.tables.columns import instant_column, metadata, text_column

staff_account = Table(
    "staff_account",
    metadata,
    text_column("jurisdiction_id", None),  # "*" for all jurisdictions
    Column("id", BigInteger, Identity(always=True), nullable=False),
    text_column("name", None),  # how the person or program signs in: an email address or a short name
    text_column("role", None),  # reader, agent, dispatcher or admin
    Column("departments", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # codes; empty for all
    instant_column("created_at"),
    instant_column("revoked_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "name"),
)

# A secret of an account: a token for programs, or a login link, which can be used only once.
staff_secret = Table(
    "staff_secret",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("account_id", BigInteger, nullable=False),
    text_column("kind", None),  # token or login
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the secret, which has 192 random bits
    instant_column("created_at"),
    instant_column("expires_at"),
    instant_column("revoked_at", nullable=True),  # for a login link also when it was used
    text_column("label"),  # what the token is for, in the words of whoever made it
    instant_column("last_used_at", nullable=True),  # written at most once an hour
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "account_id"],
        ["staff_account.jurisdiction_id", "staff_account.id"],
        ondelete="CASCADE",
    ),
)
Index("staff_secret_by_digest_idx", staff_secret.c.digest)
Index("staff_secret_account_idx", staff_secret.c.jurisdiction_id, staff_secret.c.account_id)

# A person who is signed in to the pages for staff. A session that ends is deleted.
staff_session = Table(
    "staff_session",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the secret in the cookie, which has 192 random bits
    instant_column("begun_at"),
    instant_column("last_used_at"),  # written at most once a minute
    instant_column("expires_at"),  # the session ends at this time, however often it is used
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "account_id"],
        ["staff_account.jurisdiction_id", "staff_account.id"],
        ondelete="CASCADE",
    ),
)
Index("staff_session_by_digest_idx", staff_session.c.digest)
Index("staff_session_account_idx", staff_session.c.jurisdiction_id, staff_session.c.account_id)
Index("staff_session_expires_idx", staff_session.c.expires_at)

staff_view = Table(
    "staff_view",
    metadata,
    text_column("jurisdiction_id", None),
    Column("account_id", BigInteger, nullable=False),
    text_column("name", None),
    Column("filters", JSONB, nullable=False),  # the parameters of a queue
    PrimaryKeyConstraint("jurisdiction_id", "account_id", "name"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "account_id"],
        ["staff_account.jurisdiction_id", "staff_account.id"],
        ondelete="CASCADE",
    ),
)

# A command of staff, or an update by an app, with an Idempotency-Key. If it comes again within 24 hours, it changes
# nothing.
staff_repeat = Table(
    "staff_repeat",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("actor", None),
    text_column("client_key", None),
    Column("digest", LargeBinary, nullable=False),  # digest of the command
    Column("request_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # the request's version after the command
    instant_column("created_at"),
    PrimaryKeyConstraint("jurisdiction_id", "actor", "client_key"),
)
Index("staff_repeat_created_idx", staff_repeat.c.created_at)

# Acts of staff and operators that are no events of a request, such as reading a reporter's data.
audit_entry = Table(
    "audit_entry",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    instant_column("at"),
    text_column("actor", None),
    text_column("act", None),
    text_column("subject"),  # what the act was about, such as a request's number or an account
    text_column("reason"),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),  # such as role, departments, token
    PrimaryKeyConstraint("jurisdiction_id", "id"),
)
Index("audit_entry_subject_idx", audit_entry.c.jurisdiction_id, audit_entry.c.subject)
