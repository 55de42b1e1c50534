"""COPY: thousands of rows in one statement, into a table or into a temporary one to go on from there.

Rows are mappings, as for SQLAlchemy's executemany. A few rows are better off with that: making a temporary table
costs about as much as twenty rows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from typing import Any

import orjson
import psycopg
from psycopg import pq
from psycopg.copy import Copy, FileWriter
from psycopg.types.json import set_json_dumps
from sqlalchemy import Column, ColumnElement, Connection, MetaData, Select, Table, column, insert, select
from sqlalchemy.schema import CreateTable, DropTable

Row = Mapping[str, Any]

FEW = 20
PIECE_BYTES = 1 << 18


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Store new rows, all with the same columns; their keys must be free.

    Not for geometries: more than a few rows go through `copy_rows`.
    """
    if len(rows) > FEW:
        copy_rows(connection, table, rows)
    elif rows:
        connection.execute(insert(table), rows)


def copy_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Write rows into a table by COPY, in their order; columns that the first of them lacks get their defaults.

    Not for geometries: psycopg does not know their type. Stage them as EWKT, in a text column.
    """
    columns = [item for item in table.c if item.name in rows[0]]
    names = ", ".join(f'"{item.name}"' for item in columns)
    types = [item.type.compile(connection.dialect).lower() for item in columns]
    content = _binary(types, map(itemgetter(*(item.name for item in columns)), rows))
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        cursor.copy_expert(f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)', content, PIECE_BYTES)


def stage_of(table: Table, *more: Column[Any], without: Sequence[str] = ()) -> Table:
    """A temporary table with a table's columns.

    more  columns of its own, or of another type than the table's
    """
    columns = {item.name: item for item in table.c if item.name not in without} | {item.name: item for item in more}
    return Table(
        f"staged_{table.name}",
        MetaData(),
        *(Column(item.name, item.type, nullable=item.nullable) for item in columns.values()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
        postgresql_with={"toast_tuple_target": 8160},  # what is read once is not worth compressing
    )


@contextmanager
def staged(connection: Connection, stage: Table, rows: Sequence[Row]) -> Iterator[None]:
    """Rows in a temporary table, in their order, until the end of the block."""
    connection.execute(CreateTable(stage))
    copy_rows(connection, stage, rows)
    yield
    connection.execute(DropTable(stage))


def all_of(stage: Table, **changes: ColumnElement[Any] | None) -> tuple[list[str], Select[Any]]:
    """Names and values of a temporary table's columns, to insert from.

    changes  what stands for a column instead, None to leave it out
    The columns have no types here: GeoAlchemy would have geometries converted to and fro.
    """
    columns: dict[str, ColumnElement[Any] | None] = {item.name: column(item.name) for item in stage.c}
    found = {name: value for name, value in (columns | changes).items() if value is not None}
    return list(found), select(*found.values()).select_from(stage)


def _binary(types: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> io.BytesIO:
    """A file that holds rows in COPY's binary format, at its beginning.

    types  names of the columns' types in PostgreSQL
    """
    content = io.BytesIO()
    with Copy(psycopg.Cursor(_unopened()), binary=True, writer=FileWriter(content)) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
    content.seek(0)
    return content


@cache
def _unopened() -> psycopg.Connection[Any]:
    """A connection of psycopg 3 that is never opened: what `Copy` asks for its registry of types.

    The transaction runs on psycopg2, which sends COPY's data but cannot write them. psycopg 3 can.
    """
    connection = psycopg.Connection[Any](pq.PGconn())
    set_json_dumps(orjson.dumps, connection)
    return connection
