"""Overrides of a city's files, and the version of a city's overrides."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, Text, bindparam, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from open311.domain.overrides import Item, Override
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from open311.storage.tables import catalogue_override, override_list

_COLUMNS = catalogue_override.c
_FIELDS = ("item", "value", "base", "version", "actor", "changed_at")


def read_versions(hot: HotConnections) -> Mapping[str, int]:
    """The version of the overrides of each city that has or had some."""
    return dict(hot.rows(_versions(), {}))


@cache
def _versions() -> Statement:
    return Statement.of(select(override_list.c.jurisdiction_id, override_list.c.version), is_prepared=True)


def read_overrides(hot: HotConnections, jurisdiction_id: str) -> list[Override]:
    """The overrides of a city, in the order of their items."""
    rows = hot.rows(_of_city(), {"city": jurisdiction_id})
    return [
        _override(row[0], orjson.loads(row[1]), orjson.loads(row[2]), *row[3:]) for row in rows if Item.of(row[0])
    ]


@cache
def _of_city() -> Statement:
    columns = [cast(_COLUMNS[name], Text) if name in ("value", "base") else _COLUMNS[name] for name in _FIELDS]
    query = select(*columns).where(_COLUMNS.jurisdiction_id == bindparam("city"))
    return Statement.of(query.order_by(_COLUMNS.item), is_prepared=True)


def load_overrides(connection: Connection, jurisdiction_id: str) -> list[Override]:
    """Like `read_overrides`, in the transaction of a change."""
    query = select(*(_COLUMNS[name] for name in _FIELDS)).where(_COLUMNS.jurisdiction_id == jurisdiction_id)
    rows = connection.execute(query.order_by(_COLUMNS.item))
    return [_override(*row) for row in rows if Item.of(row[0])]


def count_overrides(connection: Connection) -> Mapping[str, int]:
    """How many overrides each city has."""
    query = select(_COLUMNS.jurisdiction_id, func.count()).group_by(_COLUMNS.jurisdiction_id)
    return dict(connection.execute(query).tuples().all())


def next_version(connection: Connection, jurisdiction_id: str) -> int:
    """Give the overrides of a city a higher version, before a change. Returns the new version.

    The version is a time in microseconds. So it is also higher than those that processes have seen before an older
    backup was restored.
    """
    now_us = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
    row = insert(override_list).values(jurisdiction_id=jurisdiction_id, version=now_us)
    changed = row.on_conflict_do_update(
        constraint=override_list.primary_key, set_={"version": func.greatest(override_list.c.version + 1, now_us)}
    ).returning(override_list.c.version)
    return int(connection.execute(changed).scalar_one())


def write_override(connection: Connection, jurisdiction_id: str, override: Override) -> None:
    """Store an override in place of the former override of the item."""
    row = {
        "value": dict(override.value),
        "base": dict(override.base),
        "version": override.version,
        "actor": override.actor,
        "changed_at": override.changed_at,
    }
    statement = insert(catalogue_override).values(jurisdiction_id=jurisdiction_id, item=str(override.item), **row)
    connection.execute(statement.on_conflict_do_update(constraint=catalogue_override.primary_key, set_=row))


def remove_override(connection: Connection, jurisdiction_id: str, item: Item) -> None:
    """Remove the override of an item."""
    connection.execute(
        delete(catalogue_override).where(_COLUMNS.jurisdiction_id == jurisdiction_id, _COLUMNS.item == str(item))
    )


def _override(name: str, value: Any, base: Any, version: int, actor: str, changed_at: Any) -> Override:
    item = Item.of(name)
    assert item is not None
    return Override(item=item, value=value, base=base, version=version, actor=actor, changed_at=changed_at)
