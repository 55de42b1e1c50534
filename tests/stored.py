"""What a database stores, as text, to show that something is not in it any more."""

from __future__ import annotations

from open311.operations.platform import Platform


def dump(platform: Platform) -> str:
    """Every row of every table."""
    with platform.database.reading() as connection:
        tables = connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").scalars()
        rows = [connection.exec_driver_sql(f'SELECT t::text FROM "{table}" t').scalars().all() for table in tables]
    return "\n".join(line for lines in rows for line in lines)
