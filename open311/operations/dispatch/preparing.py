"""The consumer that defers jobs to prepare the photos of new requests, and to copy those that lie elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.domain.events import Received
from open311.operations.media.copying import defer_copying
from open311.operations.media.preparing import defer_preparing
from open311.operations.platform import Platform
from open311.storage import media, requests
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange


class Preparing:
    """Defers jobs for new requests that have photos. The photos of updates need no consumer."""

    name = "photos"

    def consume(
        self,
        platform: Platform,
        connection: Connection,
        changes: Sequence[RecordedChange],
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Defer jobs for the new requests with photos among these changes."""
        new = [one.request for one in changes if any(isinstance(event, Received) for event in one.events)]
        for city in {city for city, _ in new}:
            numbers = [number for of, number in new if of == city]
            for number in media.waiting_among(connection, city, numbers):
                defer_preparing(platform, connection, city, number)
            served = platform.registry.get(city)
            if served is not None and served.copy_photos:
                for number in requests.with_media(connection, city, numbers):
                    defer_copying(platform, connection, city, number)
