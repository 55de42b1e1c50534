"""The number of the cell of a place, by which close tiles of the map find requests. Migration 0027 has its indexes.

The number of a cell of zoom 14 has its column in the upper bits and its row in the lower 14 bits.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION close_cell(lat DOUBLE PRECISION, long DOUBLE PRECISION) RETURNS INTEGER
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ((floor((long + 180) / 360 * 16384)::integer & 16383) << 14)
        + greatest(0, least(16383, floor((1 - asinh(tan(radians(lat))) / pi()) / 2 * 16384)::integer))
$$;
"""


def upgrade() -> None:
    """Add the function."""
    op.execute(FUNCTION)


def downgrade() -> None:
    """Drop the function."""
    op.execute("DROP FUNCTION close_cell(DOUBLE PRECISION, DOUBLE PRECISION)")
