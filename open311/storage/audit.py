"""The audit trail: what staff did that is no event of a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from open311.storage.tables import audit_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act.

    jurisdiction_id  "*" for an act on an account of all jurisdictions
    actor            a principal, such as `staff:3`, or `shell`
    act              what was done, such as `account.add` or `reporter.read`
    subject          what it was done to, such as `staff:4`, or a request's number
    """

    jurisdiction_id: str
    at: datetime
    actor: str
    act: str
    subject: str = ""
    reason: str = ""


def add_entry(connection: Connection, entry: Entry) -> None:
    """Append an act to the audit trail, in the transaction of the act itself."""
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    connection.execute(insert(audit_entry).values(values))


def list_entries(connection: Connection, jurisdiction_id: str) -> list[Entry]:
    """The audit trail of one jurisdiction, oldest first."""
    columns = [audit_entry.c[name] for name in Entry.__slots__]
    found = connection.execute(
        select(*columns).where(audit_entry.c.jurisdiction_id == jurisdiction_id).order_by(audit_entry.c.id)
    )
    return [Entry(**row._mapping) for row in found]
