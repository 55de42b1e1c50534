"""The indexes that find staff by a secret are no longer unique: a unique key has to begin with jurisdiction_id.

The secrets have 192 random bits or more, so that two with the same digest do not occur.
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the indexes. Both tables are small."""
    for table in ("staff_secret", "staff_session"):
        op.execute(f"CREATE INDEX {table}_by_digest_idx ON {table} (digest)")
        op.execute(f"DROP INDEX {table}_digest_idx")


def downgrade() -> None:
    """Make them unique again."""
    for table in ("staff_secret", "staff_session"):
        op.execute(f"CREATE UNIQUE INDEX {table}_digest_idx ON {table} (digest)")
        op.execute(f"DROP INDEX {table}_by_digest_idx")
