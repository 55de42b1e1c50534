"""The block list: senders whose reports and updates are held.

Devices and e-mail addresses are stored as digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, cast, delete, func, insert, literal_column, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.abuse import Block, BlockKind, BlockList
from open311.domain.access import ALL_JURISDICTIONS
from open311.domain.ids import new_block_secret
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from open311.storage.tables import block, block_list

_NAMES = ("jurisdiction_id", "id", "kind", "value", "reason", "actor", "created_at", "expires_at")


def version_now() -> Any:
    """The version of the list, as a part of another statement; 0 before the first block."""
    mine = block_list.c.jurisdiction_id == literal_column(f"'{ALL_JURISDICTIONS}'")
    query = select(block_list.c.version).where(mine)
    return func.coalesce(query.scalar_subquery(), literal_column("0"))


def read_list(hot: HotConnections) -> BlockList:
    """All blocks and the version of the list, in one snapshot."""
    rows = hot.rows(_whole(), {"list": ALL_JURISDICTIONS})
    if not rows:
        return BlockList()
    version, secret, *_ = rows[0]
    return BlockList(version, secret, tuple(_block(row[2:]) for row in rows if row[2] is not None))


def read_version(hot: HotConnections) -> int:
    """The version of the list now."""
    return int(hot.rows(_version(), {})[0][0])


@cache
def _version() -> Statement:
    return Statement.of(select(version_now()), is_prepared=True)


@cache
def _whole() -> Statement:
    """A row for each block, with version and secret of the list. Without blocks, one row with only these two."""
    every = block_list.outerjoin(block, block.c.id.is_not(None))
    query = select(block_list.c.version, block_list.c.secret, *(block.c[name] for name in _NAMES)).select_from(
        every
    )
    mine = block_list.c.jurisdiction_id == bindparam("list")
    return Statement.of(query.where(mine).order_by(block.c.id), is_prepared=True)


def lock_list(connection: Connection) -> str:
    """Lock the list and give it a higher version, before a change. Returns the secret of the digests.

    The version is a time in microseconds. So even after an older backup was restored, the new version is higher
    than every version that a process has seen before.
    """
    now_us = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
    row = pg_insert(block_list).values(jurisdiction_id=ALL_JURISDICTIONS, version=now_us, secret=new_block_secret())
    changed = row.on_conflict_do_update(
        constraint=block_list.primary_key, set_={"version": func.greatest(block_list.c.version + 1, now_us)}
    ).returning(block_list.c.secret)
    return str(connection.execute(changed).scalar_one())


def find_secret(connection: Connection) -> str | None:
    """The secret of the list; None if there is none yet."""
    return connection.execute(_secret()).scalar_one_or_none()


def make_secret(connection: Connection) -> str:
    """Make the secret of the list, unless another process has made it. The version stays: no block has changed."""
    row = pg_insert(block_list).values(jurisdiction_id=ALL_JURISDICTIONS, secret=new_block_secret())
    connection.execute(row.on_conflict_do_nothing())
    return connection.execute(_secret()).scalar_one()


def _secret() -> Select[str]:
    return select(block_list.c.secret).where(block_list.c.jurisdiction_id == ALL_JURISDICTIONS)


def find_same(connection: Connection, jurisdiction_id: str, kind: BlockKind, value: str) -> Block | None:
    """The block of the same sender; None if there is none."""
    columns = block.c
    same = (columns.jurisdiction_id == jurisdiction_id, columns.kind == kind, columns.value == value)
    row = connection.execute(select(*(columns[name] for name in _NAMES)).where(*same)).first()
    return _block(row) if row else None


def add_block(connection: Connection, values: Mapping[str, Any]) -> Block:
    """Store a block. `values`: all fields of `Block` except its number."""
    row = insert(block).values(values).returning(*(block.c[name] for name in _NAMES))
    return _block(connection.execute(row).one())


def list_blocks(connection: Connection) -> list[Block]:
    """All blocks, oldest first."""
    rows = connection.execute(select(*(block.c[name] for name in _NAMES)).order_by(block.c.id))
    return [_block(row) for row in rows]


def remove_block(connection: Connection, number: int) -> None:
    """Delete a block."""
    connection.execute(delete(block).where(block.c.id == number))


def delete_expired(connection: Connection, now: datetime) -> int:
    """Delete the blocks that have expired, so that no address is stored longer than needed. Returns how many."""
    return connection.execute(delete(block).where(block.c.expires_at <= now)).rowcount


def _block(row: Iterable[Any]) -> Block:
    """A block, from a row with the columns of `_NAMES`."""
    values = dict(zip(_NAMES, row, strict=True))
    return Block(**values | {"kind": BlockKind(values["kind"])})
