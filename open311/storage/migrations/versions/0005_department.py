"""An index for lists by department.

A publication has its department's code in its rendered extended_attributes, also if the previous release wrote it.
The index reads the code there, so that no row has to be written again.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION published_department(json_extras TEXT[]) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(('{' || json_extras[1] || '}')::jsonb #>> '{extended_attributes,department}', '')
$$;
"""

INDEX = """
CREATE INDEX publication_department_idx ON publication
    (jurisdiction_id, published_department(json_extras), requested_at DESC, id DESC, lat, long)
    WHERE visibility = 'public';
"""


def upgrade() -> None:
    """Add a function and an index."""
    op.execute(FUNCTION)
    op.execute(INDEX)


def downgrade() -> None:
    """Drop both."""
    op.execute("DROP INDEX publication_department_idx")
    op.execute("DROP FUNCTION published_department(TEXT[])")
