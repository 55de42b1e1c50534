"""COPY writes thousands of rows in one statement, into a table or into a temporary table (a stage).

Rows are mappings, as for SQLAlchemy's executemany. For a few rows executemany is faster, because making a temporary
table takes as long as inserting about twenty rows.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from typing import Any

import orjson
import psycopg
from geoalchemy2 import Geometry
from psycopg import adapt, pq
from psycopg.copy import Copy, FileWriter
from psycopg.types.json import set_json_dumps
from sqlalchemy import Column, ColumnElement, Connection, MetaData, Select, Table, column, insert, select
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.schema import CreateTable, DropTable

Row = Mapping[str, Any]

FEW = 20
PIECE_BYTES = 1 << 18
IN_BYTES = (Geometry, TSVECTOR)
"""Types that psycopg does not know. Their values are copied as bytes in PostgreSQL's binary form, such as EWKB."""
_HEADER_BYTES = 19  # the signature, and two empty fields
_COUNT, _LENGTH = struct.Struct("!h"), struct.Struct("!i")
_TEXT_OID, _TEXTS_OID = 25, 1009  # text and text[]
_TEXTS_HEAD = struct.Struct("!iiIii")
"""The head of an array: number of dimensions, whether it has NULL, type and count of the elements, first index."""
_NO_TEXTS = struct.pack("!iiI", 0, 0, _TEXT_OID)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert new rows, which all have the same columns.

    The table must have no column of `IN_BYTES`, because `copy_rows` inserts the rows if there are many.
    """
    if len(rows) > FEW:
        copy_rows(connection, table, rows)
    elif rows:
        connection.execute(insert(table), rows)


def copy_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows by COPY, in order. Columns that the first row lacks get their defaults.

    The values of columns of `IN_BYTES` are bytes.
    """
    columns = [item for item in table.c if item.name in rows[0]]
    names = ", ".join(f'"{item.name}"' for item in columns)
    types = [
        "bytea" if isinstance(item.type, IN_BYTES) else item.type.compile(connection.dialect).lower()
        for item in columns
    ]
    content = _binary(types, map(itemgetter(*(item.name for item in columns)), rows))
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        cursor.copy_expert(f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)', content, PIECE_BYTES)


def computed(connection: Connection, expression: str, texts: Sequence[str]) -> list[bytes]:
    """What PostgreSQL computes from each of the texts, as bytes in the binary form of the result's type.

    expression  SQL that refers to a text as `given`
    """
    query = f"COPY (SELECT {expression} FROM unnest(%s::text[]) AS given) TO STDOUT (FORMAT BINARY)"  # noqa: S608  # only constants
    content = io.BytesIO()
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(query, [list(texts)]), content, PIECE_BYTES)
    return [row[0] for row in _fields(content.getvalue())]


def _fields(content: bytes) -> Iterator[list[bytes]]:
    """The rows of COPY's binary format, without NULL."""
    place = _HEADER_BYTES
    while (count := _COUNT.unpack_from(content, place)[0]) >= 0:
        place += _COUNT.size
        row = []
        for _ in range(count):
            start = place + _LENGTH.size
            place = start + _LENGTH.unpack_from(content, place)[0]
            row.append(content[start:place])
        yield row


def stage_of(table: Table, *more: Column[Any], without: Sequence[str] = ()) -> Table:
    """A temporary table with a table's columns.

    more     additional columns, or columns with another type than the table's
    without  names of columns to leave out
    """
    columns = {item.name: item for item in table.c if item.name not in without} | {item.name: item for item in more}
    return Table(
        f"staged_{table.name}",
        MetaData(),
        *(Column(item.name, item.type, nullable=item.nullable) for item in columns.values()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
        postgresql_with={"toast_tuple_target": 8160},  # do not compress values that are read only once
    )


@contextmanager
def staged(connection: Connection, stage: Table, rows: Sequence[Row]) -> Iterator[None]:
    """Create a temporary table with these rows, and drop it at the end of the block."""
    connection.execute(CreateTable(stage))
    copy_rows(connection, stage, rows)
    yield
    connection.execute(DropTable(stage))


def all_of(stage: Table, **changes: ColumnElement[Any] | None) -> tuple[list[str], Select[Any]]:
    """The column names and the SELECT for an INSERT … SELECT from a temporary table.

    changes  an expression to use instead of a column, or None to leave the column out
    The columns have no types here, because GeoAlchemy would convert every geometry twice.
    """
    columns: dict[str, ColumnElement[Any] | None] = {item.name: column(item.name) for item in stage.c}
    found = {name: value for name, value in (columns | changes).items() if value is not None}
    return list(found), select(*found.values()).select_from(stage)


def _binary(types: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> io.BytesIO:
    """Rows in COPY's binary format, as a file to read from its start.

    types  PostgreSQL's names of the columns' types
    """
    content = io.BytesIO()
    with Copy(psycopg.Cursor(_unopened()), binary=True, writer=FileWriter(content)) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
    content.seek(0)
    return content


class _Texts(adapt.Dumper):
    """Encodes a list of texts as text[]. psycopg's own class, for all arrays, takes three times as long.

    A request and its publication have six such lists. Most of them are empty.
    """

    format = pq.Format.BINARY
    oid = _TEXTS_OID

    def dump(self, obj: list[str]) -> bytes:
        """The array in PostgreSQL's binary form."""
        if not obj:
            return _NO_TEXTS
        parts = [_TEXTS_HEAD.pack(1, 0, _TEXT_OID, len(obj), 1)]
        for text in obj:
            content = text.encode()
            parts += _LENGTH.pack(len(content)), content
        return b"".join(parts)


@cache
def _unopened() -> psycopg.Connection[Any]:
    """A connection of psycopg 3 that is never opened. `Copy` needs its registry of types.

    The transaction runs on psycopg2, which can send data to COPY but cannot encode rows. psycopg 3 encodes them.
    """
    connection = psycopg.Connection[Any](pq.PGconn())
    set_json_dumps(orjson.dumps, connection)
    connection.adapters.register_dumper(list, _Texts)
    return connection
