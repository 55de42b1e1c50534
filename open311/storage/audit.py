"""The audit trail: what operators and staff did, except events of requests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from open311.storage.tables import audit_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the audit trail.

    jurisdiction_id  "*" for an act on an account, a key or a block of all jurisdictions
    actor            a principal, such as `staff:3` or `shell:ada`
    act              what was done, such as `account.add` or `reporter.read`
    subject          what the act was about: an account such as `staff:4`, a key, a block, a request's number, …
    details          more facts: role and departments of an account, the number of a token. Never the name of an
                     account
    """

    jurisdiction_id: str
    at: datetime
    actor: str
    act: str
    subject: str = ""
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def add_entry(connection: Connection, entry: Entry) -> None:
    """Append an entry to the audit trail. Call it in the transaction of the act itself."""
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    connection.execute(insert(audit_entry).values(values | {"details": dict(entry.details)}))


def list_entries(
    connection: Connection,
    jurisdiction_id: str | None = None,
    *,
    about: Collection[str] | None = None,
    since: datetime | None = None,
    most: int | None = None,
) -> list[Entry]:
    """The audit trail, oldest first.

    jurisdiction_id  only acts in this jurisdiction; None for all
    about            only acts whose actor or subject is one of these, such as `staff:3`; None for all
    most             only this many of the newest entries; None for all
    """
    columns = audit_entry.c
    query = select(*(columns[name] for name in Entry.__slots__)).order_by(columns.id.desc()).limit(most)
    if jurisdiction_id is not None:
        query = query.where(columns.jurisdiction_id == jurisdiction_id)
    if about is not None:
        query = query.where(or_(columns.actor.in_(about), columns.subject.in_(about)))
    if since is not None:
        query = query.where(columns.at >= since)
    return [Entry(**row._mapping) for row in reversed(connection.execute(query).all())]
