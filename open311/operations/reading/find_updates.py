"""Updates of requests in a window of time, in mySociety's dialect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from open311.domain.updates import PublicUpdate
from open311.errors import Invalid
from open311.operations.access.api_keys import number_of_key
from open311.operations.platform import Platform
from open311.storage import updates
from schemas.texts import tell

MAX_UPDATES = 20_000
USUAL_WINDOW = timedelta(days=1)


def find_updates(
    platform: Platform,
    jurisdiction_id: str,
    start: datetime | None,
    end: datetime | None,
    *,
    secret: str,
    now: datetime,
) -> Sequence[PublicUpdate]:
    """All updates of public requests that were recorded from `start` to `end`, oldest first.

    start   None means a day before `end`
    end     None means now
    secret  the secret of the caller's key; "" for none. Updates sent with this key have the sender's ids.
    Raises Invalid for a window that ends before it begins, and for one with more than MAX_UPDATES updates, because
    the list would not be complete.
    """
    last = end or now
    first = start or _day_before(last)
    if first > last:
        raise Invalid(tell("is later than end_date; swap them."), "start_date")
    key = number_of_key(platform, secret)
    with platform.database.reading() as connection:
        found = updates.find_public(connection, jurisdiction_id, first, last, key=key, rows=MAX_UPDATES + 1)
    if len(found) > MAX_UPDATES:
        fault = tell("this window has more than {most} updates; send a shorter one.", most=MAX_UPDATES)
        raise Invalid(fault, "start_date")
    return found


def _day_before(instant: datetime) -> datetime:
    """The time a day before `instant`, but not before the first day of the calendar."""
    earliest = datetime.min.replace(tzinfo=UTC)
    return max(instant, earliest + USUAL_WINDOW) - USUAL_WINDOW
