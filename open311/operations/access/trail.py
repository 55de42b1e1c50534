"""Read the audit trail: what operators and staff did, and who read, exported or erased the data of reporters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from open311.errors import NotFound
from open311.operations.platform import Platform
from open311.storage import accounts, audit
from open311.storage.audit import Entry
from schemas.texts import tell


@dataclass(frozen=True, slots=True)
class Trail:
    """Entries of the audit trail, oldest first.

    names     the names of the accounts in the entries, by `str(account)`, such as `staff:3`
    is_whole  False if `most` left out older entries
    """

    entries: Sequence[Entry]
    names: Mapping[str, str]
    is_whole: bool


def read_trail(
    platform: Platform,
    *,
    jurisdiction_id: str | None = None,
    account: str = "",
    since: datetime | None = None,
    most: int | None = None,
) -> Trail:
    """The audit trail. Raises NotFound if no account has this name.

    jurisdiction_id  only acts in this jurisdiction; None for all
    account          the name of an account: only acts by it or on it; "" for all
    most             only this many of the newest entries; None for all
    """
    with platform.database.reading() as connection:
        about = None
        if account:
            known = accounts.list_accounts(connection, jurisdiction_id)
            about = [str(one) for one in known if one.name == account]
            if not about:
                raise NotFound(
                    tell("{name!r} is no account; see `open311 staff list`.", name=account[:60]), "account"
                )
        wanted = None if most is None else most + 1
        found = audit.list_entries(connection, jurisdiction_id, about=about, since=since, most=wanted)
    is_whole = most is None or len(found) <= most
    shown = found if most is None else found[-most:]
    actors = {name for entry in shown for name in (entry.actor, entry.subject)}
    return Trail(shown, accounts.names_of(platform.database.hot.rows, actors), is_whole)
