"""The saved views of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from open311.storage.tables import staff_view


def load_views(connection: Connection, jurisdiction_id: str, account: int) -> dict[str, Any]:
    """The filters of an account's views, by name, in the order of the names."""
    columns = staff_view.c
    rows = connection.execute(
        select(columns.name, columns.filters)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.account_id == account)
        .order_by(columns.name)
    )
    return {row.name: row.filters for row in rows}


def save_view(
    connection: Connection, jurisdiction_id: str, account: int, name: str, filters: Mapping[str, str]
) -> None:
    """Store the filters of a view. They replace the old ones."""
    row = insert(staff_view).values(
        jurisdiction_id=jurisdiction_id, account_id=account, name=name, filters=dict(filters)
    )
    connection.execute(
        row.on_conflict_do_update(constraint=staff_view.primary_key, set_={"filters": row.excluded.filters})
    )


def delete_view(connection: Connection, jurisdiction_id: str, account: int, name: str) -> bool:
    """Delete a view. Returns False if the account has no view of this name."""
    columns = staff_view.c
    deleted = connection.execute(
        delete(staff_view).where(
            columns.jurisdiction_id == jurisdiction_id, columns.account_id == account, columns.name == name
        )
    )
    return deleted.rowcount == 1
