"""The sweep of a city's photos: it deletes what nothing needs, and counts the photos whose files are missing.

An unknown file is deleted only when it is older than a day, because a younger one may belong to a running call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from open311.domain.photos import Photo, PhotoState
from open311.media.stores import Stored
from open311.observe import logger
from open311.operations.media.files import (
    LARGEST,
    ORIGINAL,
    content_of,
    delete_files,
    file_name,
    folder_of,
    is_needed,
    own_store,
)
from open311.operations.media.preparing import defer_preparing
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import media

log = logger(__name__)

GRACE = timedelta(days=1)
ROWS = 1_000


_NEEDED = {
    PhotoState.WAITING: ORIGINAL,
    PhotoState.READY: file_name(LARGEST),
    PhotoState.HELD: file_name(LARGEST),
}
"""The file that a photo needs in each state. In other states, a missing file is no fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep has done.

    All fields are counts.

    stale      photos that were deleted because they began to arrive more than a day ago and belong to no request
    originals  originals that were deleted because their `original_until` is past
    blackened  photos that were deleted because photos with black boxes have replaced them, and their `kept_until`
               is past
    files      files that were deleted because no photo needed them
    missing    photos whose files are not in the store
    waiting    requests with photos that are not prepared yet; each request has a job now
    """

    stale: int
    originals: int
    blackened: int
    files: int
    missing: int
    waiting: int


def sweep_photos(platform: Platform, city: Jurisdiction, now: datetime) -> Swept:
    """Sweep one city. Every step may run twice. Raises StoreUnavailable."""
    sweep = _Sweep(platform, city, now)
    stale, originals, blackened = sweep.delete_stale(), sweep.delete_expired(), sweep.delete_blackened()
    files = sweep.delete_unneeded()
    missing = sum(map(sweep.is_missing, sweep.photos()))
    if missing:
        log.error("files of photos are missing in the media store", jurisdiction=city.id, photos=missing)
    return Swept(
        stale=stale,
        originals=originals,
        blackened=blackened,
        files=files,
        missing=missing,
        waiting=sweep.defer_waiting(),
    )


class _Sweep:
    """The steps of one sweep.

    They remember which files were listed, so that the store need not be asked about each photo.
    """

    def __init__(self, platform: Platform, city: Jurisdiction, now: datetime) -> None:
        self._platform, self._city, self._now = platform, city, now
        self._store = own_store(platform, now)
        self._found: dict[str, set[bytes]] = {ORIGINAL: set(), file_name(LARGEST): set()}

    def delete_stale(self) -> int:
        """Delete photos that began to arrive long ago: their call has ended without a report."""
        count = 0
        while True:
            with self._platform.database.transaction() as connection:
                found = media.load_stale(connection, self._city.id, self._now - GRACE, ROWS)
                gone = media.delete_arriving(connection, found)
            delete_files(self._platform, gone, self._now)
            count += len(gone)
            if len(found) < ROWS:
                return count

    def delete_expired(self) -> int:
        """Delete the originals whose `original_until` is past. Staff could read them until then."""
        count = 0
        while True:
            with self._platform.database.transaction() as connection:
                found = media.load_expired(connection, self._city.id, self._now, ROWS)
                for photo in found:
                    media.forget_original(connection, photo)
            delete_files(self._platform, found, self._now)
            count += len(found)
            if len(found) < ROWS:
                return count

    def delete_blackened(self) -> int:
        """Delete photos that were replaced by photos with black boxes and whose `kept_until` is past."""
        count = 0
        while True:
            with self._platform.database.transaction() as connection:
                found = media.load_outlived(connection, self._city.id, self._now, ROWS)
                media.delete_photos(connection, found)
            delete_files(self._platform, found, self._now)
            count += len(found)
            if len(found) < ROWS:
                return count

    def delete_unneeded(self) -> int:
        """Delete old files that no photo needs. Returns how many."""
        files, count = self._store.keys(f"{folder_of(self._city.id)}/"), 0
        while batch := list(islice(files, ROWS)):
            count += sum(map(self._delete_unclaimed, self._unneeded(batch)))
        return count

    def _unneeded(self, batch: Sequence[Stored]) -> list[str]:
        """The keys of old files that no photo needs. Remembers which of the other files were listed."""
        contents = {content for file in batch if (content := content_of(file.key))}
        with self._platform.database.reading() as connection:
            claims = media.claims_among(connection, self._city.id, contents, self._now)
        unneeded = []
        for file in batch:
            content, name = content_of(file.key), file.key.rpartition("/")[2]
            needs = claims.get(content) if content else None
            if file.modified_at < self._now - GRACE and (needs is None or (name == ORIGINAL and not needs)):
                unneeded.append(file.key)
            elif content and name in self._found:
                self._found[name].add(content)
        return unneeded

    def _delete_unclaimed(self, key: str) -> bool:
        """Delete a file, unless a call has claimed its content meanwhile."""
        with self._platform.database.transaction() as connection:
            if is_needed(connection, self._city.id, key, self._now):
                return False
            self._store.delete(key)
            return True

    def photos(self) -> Iterator[Photo]:
        """All photos that requests have."""
        after = ""
        while True:
            with self._platform.database.reading() as connection:
                page = media.load_page(connection, self._city.id, after, ROWS)
            yield from page
            if len(page) < ROWS:
                return
            after = page[-1].id

    def is_missing(self, photo: Photo) -> bool:
        """Whether the store lacks the file that a photo needs.

        A young photo does not count as missing, because its file may have been written after the files were listed.
        """
        needs = _NEEDED.get(photo.state)
        is_young = (photo.prepared_at or photo.created_at) >= self._now - GRACE
        return needs is not None and not is_young and photo.content_hash not in self._found[needs]

    def defer_waiting(self) -> int:
        """Defer a job for each request whose photos wait, unless it has one. Returns how many requests wait."""
        with self._platform.database.transaction() as connection:
            numbers = media.load_waiting(connection, self._city.id)
            for number in numbers:
                defer_preparing(self._platform, connection, self._city.id, number)
        return len(numbers)
