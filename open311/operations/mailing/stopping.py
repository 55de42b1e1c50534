"""Stop mail to the address of a follower, who has refused it or whose mail comes back."""

from __future__ import annotations

from datetime import datetime

from open311.domain.mails import Follower, Stop, recipient_of
from open311.storage import followers, mails
from open311.storage.engine import Connection


def stop_mail(connection: Connection, one: Follower, why: Stop, now: datetime) -> None:
    """Send no mail to the address of a follower any more. Deletes all followers of the city with this address."""
    city = one.jurisdiction_id
    mails.stop(connection, city, recipient_of(mails.make_key(connection), city, one.email), why, now)
    same = followers.with_address(connection, city, one.email)
    followers.remove(connection, city, [each.id for each in same])
