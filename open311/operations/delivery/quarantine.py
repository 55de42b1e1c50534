"""Updates of back offices in quarantine: list them, try them again, or drop them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from open311.domain.access import Principal
from open311.domain.remote_updates import StoredUpdate, UpdateState
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import audit, remote_updates
from open311.storage.audit import Entry


def list_quarantined(
    platform: Platform, city: Jurisdiction, *, backend: str = "", after: int = 0, most: int = 100
) -> list[StoredUpdate]:
    """The updates that wait for a person, by id; also those of unknown requests, which are still tried again.

    backend  only updates of this back end; "" for all
    after    only updates with a larger id
    """
    with platform.database.reading() as connection:
        return remote_updates.quarantined(connection, city.id, backend=backend, after=after, rows=most)


def retry_quarantined(
    platform: Platform,
    city: Jurisdiction,
    ids: Sequence[int],
    *,
    principal: Principal,
    now: datetime,
    reason: str = "",
) -> list[StoredUpdate]:
    """Try updates again, for example after a change of the table `statuses`. Returns those that are tried again.

    The worker applies them. An update that could not be read stays in quarantine.
    """

    def again(update: StoredUpdate) -> StoredUpdate | None:
        if update.is_unreadable:
            return None
        return replace(update, state=UpdateState.NEW, due_at=now, attempts=0, cause="")

    return _changed(platform, city, ids, again, act="update.retry", principal=principal, now=now, reason=reason)


def drop_quarantined(
    platform: Platform, city: Jurisdiction, ids: Sequence[int], *, principal: Principal, now: datetime, reason: str
) -> list[StoredUpdate]:
    """Ignore updates permanently, and erase their texts. Returns those that are dropped."""

    def dropped(update: StoredUpdate) -> StoredUpdate:
        cause = f"dropped by {principal}"
        return replace(update, state=UpdateState.IGNORED, due_at=None, description="", media_urls=(), cause=cause)

    return _changed(platform, city, ids, dropped, act="update.drop", principal=principal, now=now, reason=reason)


def _changed(
    platform: Platform,
    city: Jurisdiction,
    ids: Sequence[int],
    change: Callable[[StoredUpdate], StoredUpdate | None],
    *,
    act: str,
    principal: Principal,
    now: datetime,
    reason: str,
) -> list[StoredUpdate]:
    """Change quarantined updates in one transaction, each with an entry in the audit trail."""
    done = []
    with platform.database.transaction() as connection:
        for id in sorted(set(ids)):
            update = remote_updates.load(connection, city.id, id, is_locked=True)
            after = change(update) if update and update.state is UpdateState.QUARANTINED else None
            if after is None:
                continue
            remote_updates.save(connection, after)
            subject = f"update:{id}"
            entry = Entry(
                jurisdiction_id=city.id, at=now, actor=str(principal), act=act, subject=subject, reason=reason
            )
            audit.add_entry(connection, entry)
            done.append(after)
    return done
