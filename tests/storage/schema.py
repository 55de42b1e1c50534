"""Reads a schema from PostgreSQL's catalogue, for comparing schemas. The order of columns is ignored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from open311.storage.engine import Database

# One row for each object: its kind, its name, its full definition.
CATALOGUE = r"""
WITH tables AS (
    SELECT oid, relname FROM pg_class WHERE relnamespace = :schema ::regnamespace AND relkind IN ('r', 'p')
)
SELECT 'column', relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN 'not null' END, pg_get_expr(adbin, adrelid), nullif(attidentity, ''),
        nullif(attgenerated, ''))
    FROM tables JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
UNION ALL
SELECT 'constraint', relname || '.' || conname, pg_get_constraintdef(pg_constraint.oid)
    FROM tables JOIN pg_constraint ON conrelid = tables.oid WHERE contype <> 'n'
UNION ALL
SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM tables JOIN pg_index ON indrelid = tables.oid
UNION ALL
SELECT 'trigger', relname || '.' || tgname, pg_get_triggerdef(pg_trigger.oid)
    FROM tables JOIN pg_trigger ON tgrelid = tables.oid WHERE NOT tgisinternal
UNION ALL
SELECT 'sequence', relname, concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcycle)
    FROM pg_class JOIN pg_sequence ON seqrelid = pg_class.oid WHERE relnamespace = :schema ::regnamespace
UNION ALL
SELECT 'enum', typname, string_agg(enumlabel, ', ' ORDER BY enumsortorder)
    FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid
    WHERE typnamespace = :schema ::regnamespace GROUP BY typname
UNION ALL
SELECT 'composite', relname, string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
    WHERE relnamespace = :schema ::regnamespace AND relkind = 'c' GROUP BY relname
UNION ALL
SELECT 'function', pg_proc.oid::regprocedure::text, pg_get_functiondef(pg_proc.oid)
    FROM pg_proc WHERE pronamespace = :schema ::regnamespace AND prokind = 'f'
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""


def described(connection: Connection, schema: str = "public") -> dict[tuple[str, str], str]:
    """The definitions of a schema's objects, by kind and name. Objects of extensions are left out."""
    connection.execute(text(f"SET LOCAL search_path = {schema}, public"))
    rows = connection.execute(text(CATALOGUE), {"schema": schema}).all()
    connection.execute(text("SET LOCAL search_path = DEFAULT"))
    return {
        (kind, name): definition.replace(f"{schema}.", "")
        for kind, name, definition in rows
        if not name.startswith("spatial_ref_sys")
    }


@contextmanager
def at_revision(database: Database, revision: str) -> Iterator[None]:
    """A database that says during the block that its schema has another revision."""
    change = text("UPDATE alembic_version SET version_num = :revision")
    with database.transaction() as connection:
        before = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(change, {"revision": revision})
    try:
        yield
    finally:
        with database.transaction() as connection:
            connection.execute(change, {"revision": before})
