"""Copy photos of reports from other servers, if the city wants that.

A report can have the addresses of photos on other servers. The worker fetches each photo, and gives the request a
copy that waits like a photo that was sent. When the copy is prepared, its address replaces the original address. If
the copy is held or private, the original address is only removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from open311.domain.photos import CopyFault, Photo, PhotoState, SentFile, SentPhoto, is_address_of, new_id
from open311.domain.requests import RequestRecord
from open311.errors import Misconfigured
from open311.federation.addresses import Guard
from open311.federation.pictures import NotFetchedError, fetch_picture
from open311.observe import logger
from open311.operations.media.arriving import arriving
from open311.operations.media.choosing import choose
from open311.operations.media.preparing import NotPrepared, defer_preparing
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import media, requests
from open311.storage.engine import Connection
from open311.storage.hot.transactions import within
from open311.storage.queue import Task

log = logger(__name__)

MOST_TRIES = 8
"""How often an address is tried if the failure may pass. The tries take about two minutes."""
PUBLIC_HOSTS = Guard()


def defer_copying(platform: Platform, connection: Connection, jurisdiction_id: str, number: int) -> None:
    """When the transaction has committed, let the worker copy the photos of a request from other servers."""
    lock = f"{Task.COPY_PHOTOS}:{jurisdiction_id}:{number}"
    arguments = {"jurisdiction_id": jurisdiction_id, "number": number}
    platform.queue.defer_once(connection, Task.COPY_PHOTOS, lock, **arguments)


def copy_photos(
    platform: Platform,
    jurisdiction_id: str,
    number: int,
    now: datetime,
    *,
    is_last: bool,
    guard: Guard = PUBLIC_HOSTS,
) -> int:
    """Copy those photos of a request that are on other servers. Returns how many were fetched.

    No transaction is open while an address is fetched. If a photo cannot be copied, staff see it among the refused
    photos, and its address stays as it was sent. If the job runs twice, what was stored or refused is not fetched
    again.

    is_last  whether this is the last try, so that a failure that may pass is final too
    Raises Misconfigured if the city is not served at present, and NotPrepared if some photos cannot be copied now.
    The job is then tried again.
    """
    city = platform.registry.get(jurisdiction_id)
    if city is None:
        raise Misconfigured(f"{jurisdiction_id} is not served; its photos are copied when it is served again.")
    copying = _Copying(platform, city, number, now, guard)
    fetched = left = 0
    for address in copying.addresses():
        try:
            fetched += copying.copy(address)
        except NotFetchedError as error:
            if error.is_passing and not is_last:
                left += 1
                continue
            log.warning("a photo is not copied", city=city.id, number=number, fault=error.fault)
            copying.refuse(address, error.fault)
    if left:
        raise NotPrepared(f"{left} photos cannot be copied now")
    return fetched


@dataclass(frozen=True, slots=True)
class _Copying:
    platform: Platform
    city: Jurisdiction
    number: int
    now: datetime
    guard: Guard

    def addresses(self) -> Sequence[str]:
        """The addresses that were neither copied nor refused; none if the city does not want copies any more."""
        if not self.city.copy_photos:
            return ()
        with self.platform.database.reading() as connection:
            record = requests.load_record(connection, self.city.id, number=self.number, is_locked=False)
            photos = media.load_all(connection, self.city.id, self.number)
        return () if record is None else tuple(_elsewhere(record, photos))

    def is_full(self) -> bool:
        """Whether as many addresses were copied or refused as a POST may have photos."""
        with self.platform.database.reading() as connection:
            photos = media.load_all(connection, self.city.id, self.number)
        return sum(bool(photo.copy_of) for photo in photos) >= self.platform.settings.max_photos

    def copy(self, address: str) -> bool:
        """Fetch one photo and give it to the request. Returns False if the request does not have the address now.

        Raises NotFetchedError if the photo cannot be fetched or stored, or if `is_full`.
        """
        if self.is_full():
            raise NotFetchedError(CopyFault.TOO_MANY)
        sent = self._fetched(address)
        own_address = self.platform.settings.public_url
        with arriving(self.platform, self.city, [sent], own_address=own_address, now=self.now) as arrival:
            if not arrival.kept:
                raise NotFetchedError(CopyFault.NOT_STORED, is_passing=True)
            with self.platform.database.transaction() as connection:
                if not self._is_wanted(connection, address):
                    return False
                arrival.attach(within(connection), self.number)
                defer_preparing(self.platform, connection, self.city.id, self.number)
        return True

    def refuse(self, address: str, fault: CopyFault) -> None:
        """Let staff see that a photo was not copied, and why."""
        id = new_id()
        refused = Photo(
            jurisdiction_id=self.city.id,
            id=id,
            content_hash=sha256(f"no file {id}".encode()).digest(),
            media_type="",
            size_bytes=0,
            created_at=self.now,
            request_id=self.number,
            state=PhotoState.REFUSED,
            reason=fault,
            copy_of=address,
        )
        with self.platform.database.transaction() as connection:
            if self._is_wanted(connection, address):
                media.add(connection, [refused])

    def _fetched(self, address: str) -> SentPhoto:
        """The photo at an address. Raises NotFetchedError if it cannot be fetched or is not an image."""
        settings = self.platform.settings
        if not settings.public_url:
            raise NotFetchedError(CopyFault.NO_PUBLIC_URL)
        data = fetch_picture(address, most_bytes=settings.max_photo_bytes, proxy=settings.proxy, guard=self.guard)
        file = SentFile(name="media_url", size_bytes=len(data), data=data)
        for photo in choose([file], settings).photos:
            return replace(photo, copy_of=address)
        raise NotFetchedError(CopyFault.NOT_AN_IMAGE)

    def _is_wanted(self, connection: Connection, address: str) -> bool:
        """Lock the request. Returns whether it still has the address, and no copy was stored or refused."""
        record = requests.load_record(connection, self.city.id, number=self.number)
        photos = media.load_all(connection, self.city.id, self.number)
        return record is not None and address in _elsewhere(record, photos)


def _elsewhere(record: RequestRecord, photos: Sequence[Photo]) -> Iterator[str]:
    """The addresses of photos on other servers that were neither copied nor refused."""
    for url in record.media_urls:
        if not any(photo.copy_of == url or is_address_of(photo, url) for photo in photos):
            yield url
