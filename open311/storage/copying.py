"""COPY: thousands of rows in one statement, into a table or into a temporary one to go on from there.

Rows are mappings, as for SQLAlchemy's executemany. A few rows are better off with that: making a temporary table
costs about as much as twenty rows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    Text,
    column,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.schema import CreateTable, DropTable

Row = Mapping[str, Any]

FEW = 20
PIECE_BYTES = 1 << 18
_NULL = "\\N"


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Store new rows, all with the same columns; their keys must be free."""
    if len(rows) > FEW:
        copy_rows(connection, table, rows)
    elif rows:
        connection.execute(insert(table), rows)


def copy_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Write rows into a table by COPY, in their order; columns that the first of them lacks get their defaults."""
    columns = [item for item in table.c if item.name in rows[0]]
    texts = [_texts(item, [row[item.name] for row in rows]) for item in columns]
    content = "\n".join(map("\t".join, zip(*texts, strict=True))) + "\n"
    names = ", ".join(f'"{item.name}"' for item in columns)
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        cursor.copy_expert(f'COPY "{table.name}" ({names}) FROM STDIN', io.BytesIO(content.encode()), PIECE_BYTES)


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


def _texts(item: Column[Any], values: list[Any]) -> list[str]:
    """A column's values as COPY wants them."""
    if isinstance(item.type, JSONB):
        values = [orjson.dumps(value).decode() for value in values]
    elif isinstance(item.type, ARRAY):
        values = [_array(value) if value else "{}" for value in values]
    elif isinstance(item.type, TIMESTAMP):
        return [_NULL if value is None else _instant(value) for value in values]
    elif not isinstance(item.type, Text):
        return [_NULL if value is None else str(value) for value in values]
    elif item.nullable:
        return [_NULL if value is None else _escaped(value) for value in values]
    # Most columns hold nothing that COPY takes for a sign of its own: that is quicker seen for all at once.
    return [_escaped(value) for value in values] if _is_special("".join(values)) else values


@lru_cache(maxsize=16_384)
def _instant(value: datetime) -> str:
    """A request's instants are the same ones several times."""
    return value.isoformat()


def _is_special(text: str) -> bool:
    return "\\" in text or "\t" in text or "\n" in text or "\r" in text


def _escaped(text: str) -> str:
    if not _is_special(text):
        return text
    escaped = text.replace("\\", "\\\\").replace("\t", "\\t")
    return escaped.replace("\n", "\\n").replace("\r", "\\r")


def _array(values: Sequence[str]) -> str:
    items = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(items) + '"}'
