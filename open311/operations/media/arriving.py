"""Photos that arrive with a call: their files are stored before the transaction that stores the report.

1. Rows in the state ARRIVING claim the files, so that nobody deletes them.
2. The files are stored, each durably.
3. The transaction that stores the report, or the update, also gives it the rows.

If the process dies between two steps, it leaves files, and rows without a request. No report has a photo that does
not exist. The sweep deletes what is left after a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from open311.domain.photos import Photo, SentPhoto, new_id
from open311.errors import Unavailable
from open311.media.stores import MediaStore, StoreUnavailable
from open311.observe import logger
from open311.operations.media.files import claim, delete_files, original_key, own_store
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import media
from open311.storage.hot.transactions import Run

log = logger(__name__)


class Arrival:
    """The photos of one call whose files are stored.

    kept  how many files are stored
    lost  how many files could not be stored
    """

    def __init__(self, jurisdiction_id: str, photos: Sequence[Photo] = (), lost: int = 0) -> None:
        self.kept, self.lost = len(photos), lost
        self._jurisdiction_id = jurisdiction_id
        self._ids = [photo.id for photo in photos]

    def attach(self, run: Run, number: int, *, version: int = 0, is_public: bool = True) -> None:
        """Give the photos to a request, in the transaction that stores the report or the update.

        version    the request's version after the update; 0 for a report
        is_public  whether all who may see the request may see the photos
        """
        if self._ids:
            media.attach(run, self._jurisdiction_id, number, self._ids, version=version, is_public=is_public)


@contextmanager
def arriving(
    platform: Platform, city: Jurisdiction, sent: Sequence[SentPhoto], *, own_address: str, now: datetime
) -> Iterator[Arrival]:
    """Store the files of photos. When the block ends, delete the photos that no request has got.

    A photo that cannot be stored is left out, so that the report is still accepted.

    own_address  the address of this server under which the sender called it
    """
    if not sent:
        yield Arrival(city.id)
        return
    photos = [
        Photo(
            jurisdiction_id=city.id,
            id=new_id(),
            content_hash=one.content_hash,
            media_type=one.media_type,
            size_bytes=len(one.data),
            own_address=own_address,
            created_at=now,
            copy_of=one.copy_of,
        )
        for one in sent
    ]
    with claimed(platform, photos, now):
        stored = list(_stored(platform, photos, sent, now))
        yield Arrival(city.id, stored, len(photos) - len(stored))


@contextmanager
def claimed(platform: Platform, photos: Sequence[Photo], now: datetime) -> Iterator[None]:
    """Claim the files of photos that arrive. When the block ends, delete the photos that no request has got."""
    with platform.database.transaction() as connection:
        claim(connection, photos)
    try:
        yield
    finally:
        _drop(platform, photos, now)


def _stored(
    platform: Platform, photos: Sequence[Photo], sent: Sequence[SentPhoto], now: datetime
) -> Iterator[Photo]:
    """Store the files of photos. Yields the photos whose files are stored."""
    store: MediaStore | None = None
    for photo, one in zip(photos, sent, strict=True):
        try:
            store = store or own_store(platform, now)
            store.put(original_key(photo), one.data, one.media_type)
        except StoreUnavailable as error:
            log.error(
                "a photo is lost: the media store accepts no file", city=photo.jurisdiction_id, cause=str(error)
            )
            if platform.process.calls is not None:
                platform.process.calls.add_lost_photo()
        else:
            yield photo


def _drop(platform: Platform, photos: Sequence[Photo], now: datetime) -> None:
    """Delete those photos that no request has got, and their files.

    The sweep deletes what cannot be deleted now.
    """
    with suppress(Unavailable):
        with platform.database.transaction() as connection:
            gone = media.delete_arriving(connection, photos)
        delete_files(platform, gone, now)
