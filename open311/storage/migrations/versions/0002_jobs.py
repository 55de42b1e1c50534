"""The job queue: procrastinate's own tables."""

from __future__ import annotations

from contextlib import closing

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply procrastinate's schema as it stands in the installed release."""
    # Through a raw cursor: the schema holds % and : that SQLAlchemy would read as parameters.
    with closing(op.get_bind().connection.cursor()) as cursor:
        cursor.execute(SchemaManager.get_schema())


def downgrade() -> None:
    """Drop the queue and the jobs in it."""
    with closing(op.get_bind().connection.cursor()) as cursor:
        cursor.execute(
            "DO $$ DECLARE found record; BEGIN"
            " FOR found IN SELECT oid::regclass AS name FROM pg_class"
            " WHERE relname LIKE 'procrastinate\\_%' AND relkind = 'r' LOOP"
            " EXECUTE 'DROP TABLE ' || found.name || ' CASCADE'; END LOOP;"
            " FOR found IN SELECT oid::regprocedure AS name FROM pg_proc"
            " WHERE proname LIKE 'procrastinate\\_%' LOOP"
            " EXECUTE 'DROP FUNCTION ' || found.name || ' CASCADE'; END LOOP;"
            " FOR found IN SELECT oid::regtype AS name FROM pg_type"
            " WHERE typname LIKE 'procrastinate\\_%' AND typtype IN ('e', 'c') LOOP"
            " EXECUTE 'DROP TYPE IF EXISTS ' || found.name || ' CASCADE'; END LOOP; END $$"
        )
