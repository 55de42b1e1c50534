"""The schema can be distributed by city: each key of a table of ours begins with jurisdiction_id."""

from __future__ import annotations

from sqlalchemy import Connection, text

from open311.storage.engine import Database

UNDISTRIBUTED = {
    "alembic_version": "the revision of the schema, one row",
    "procrastinate_events": "the queue belongs to all cities",
    "procrastinate_jobs": "the queue belongs to all cities",
    "procrastinate_periodic_defers": "the queue belongs to all cities",
    "procrastinate_workers": "the queue belongs to all cities",
    "spatial_ref_sys": "PostGIS's own",
}
"""The tables without a city, each with the reason."""
KEYS = """
    SELECT conrelid::regclass::text AS name, contype::text AS kind, conname AS key, (
        SELECT array_agg(attname::text ORDER BY place)
        FROM unnest(conkey) WITH ORDINALITY AS found (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number
    ) AS columns, CASE WHEN confrelid > 0 THEN (
        SELECT array_agg(attname::text ORDER BY place)
        FROM unnest(confkey) WITH ORDINALITY AS found (number, place)
        JOIN pg_attribute ON attrelid = confrelid AND attnum = number
    ) END AS targets
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'x')
    UNION ALL
    SELECT indrelid::regclass::text, 'i', relname, (
        SELECT array_agg(coalesce(attname::text, 'an expression') ORDER BY place)
        FROM unnest(indkey::int[]) WITH ORDINALITY AS found (number, place)
        LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number AND number > 0
    ), NULL
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace AND (indisunique OR indisexclusion)
"""
TABLES = """
    SELECT relname, EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'jurisdiction_id' AND attnotnull
    ) AS has_city FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
"""


def misfits(connection: Connection) -> list[str]:
    """The keys of tables of ours that do not begin with jurisdiction_id on each side."""
    return [
        f"{row.name}: {row.key} ({', '.join(row.columns)})"
        for row in connection.execute(text(KEYS))
        if row.name not in UNDISTRIBUTED
        and not all(side[0] == "jurisdiction_id" for side in (row.columns, row.targets) if side)
    ]


def test_each_table_has_a_city_or_a_reason(sweeper: Database) -> None:
    with sweeper.reading() as connection:
        found = {row.relname: row.has_city for row in connection.execute(text(TABLES))}
    assert {name for name, has_city in found.items() if not has_city} == UNDISTRIBUTED.keys()
    assert len(found) > 50


def test_each_key_begins_with_the_city(sweeper: Database) -> None:
    with sweeper.reading() as connection:
        kinds = {row.kind for row in connection.execute(text(KEYS))}
        assert kinds >= {"p", "u", "f", "i"}, "the catalogue has keys of each kind"
        assert misfits(connection) == []


def test_a_key_without_the_city_would_be_found(sweeper: Database) -> None:
    with sweeper.transaction() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX wrong_idx ON staff_secret (digest)")
        connection.exec_driver_sql("CREATE UNIQUE INDEX also_wrong_idx ON staff_secret ((digest::text))")
        connection.exec_driver_sql("CREATE TABLE wrong (id BIGINT PRIMARY KEY)")
        found = misfits(connection)
        connection.rollback()
    assert sorted(found) == [
        "staff_secret: also_wrong_idx (an expression)",
        "staff_secret: wrong_idx (digest)",
        *["wrong: wrong_pkey (id)"] * 2,  # as a constraint and as an index
    ]
