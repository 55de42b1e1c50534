"""Indexes by which the data of a person are found, and updates that still say who sent them."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEXES = """
CREATE INDEX reporter_email_idx ON reporter (jurisdiction_id, lower(email)) WHERE email <> '';
CREATE INDEX reporter_phone_idx ON reporter
    (jurisdiction_id, ltrim(regexp_replace(phone, '[^0-9]+', '', 'g'), '0')) WHERE phone <> '';
CREATE INDEX reporter_device_idx ON reporter (jurisdiction_id, device_id) WHERE device_id <> '';
CREATE INDEX reporter_account_idx ON reporter (jurisdiction_id, account_id) WHERE account_id <> '';

CREATE INDEX received_update_email_idx ON received_update (jurisdiction_id, lower(email)) WHERE email <> '';
CREATE INDEX received_update_phone_idx ON received_update
    (jurisdiction_id, ltrim(regexp_replace(phone, '[^0-9]+', '', 'g'), '0')) WHERE phone <> '';
CREATE INDEX received_update_account_idx ON received_update (jurisdiction_id, account_id) WHERE account_id <> '';
CREATE INDEX received_update_personal_idx ON received_update (jurisdiction_id, request_id)
    WHERE email <> '' OR first_name <> '' OR last_name <> '' OR phone <> '' OR account_id <> '';
"""
NAMES = (
    "reporter_email_idx",
    "reporter_phone_idx",
    "reporter_device_idx",
    "reporter_account_idx",
    "received_update_email_idx",
    "received_update_phone_idx",
    "received_update_account_idx",
    "received_update_personal_idx",
)


def upgrade() -> None:
    """Add the indexes."""
    op.execute(INDEXES)


def downgrade() -> None:
    """Drop them."""
    op.execute(f"DROP INDEX {', '.join(NAMES)}")
