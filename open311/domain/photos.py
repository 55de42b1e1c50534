"""Photos of requests: those that a client sends, and those that are stored."""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b, sha256
from urllib.parse import quote

ID_CHARACTERS = 22
"""The length of the id of a photo: 128 random bits in base64url."""


class PhotoState(StrEnum):
    """How far a photo has come.

    ARRIVING   its file is being stored, and no request has it yet
    WAITING    a request has it, and the worker will prepare it
    READY      it is prepared; the public sees it if `is_public`
    HELD       it is prepared; the public sees it only after a person has released it
    REFUSED    it could not be prepared; its reason says why
    WITHDRAWN  staff have withdrawn it; the public does not see it
    BLACKENED  a copy with black boxes has taken its place; dispatchers can see this old one for some days
    """

    ARRIVING = "arriving"
    WAITING = "waiting"
    READY = "ready"
    HELD = "held"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    BLACKENED = "blackened"


class CopyFault(StrEnum):
    """Why a photo that lies elsewhere was not copied.

    GONE               the server that has it says that there is no such file
    REFUSED            the server that has it answers with another error
    FORBIDDEN_ADDRESS  the address, or one to which it redirects, is not public; or https redirects to http
    TOO_LARGE          it has more bytes than a photo may have, or there are too many redirects
    TOO_SLOW           the server that has it needs too long
    UNREACHABLE        the server that has it cannot be reached
    NOT_AN_IMAGE       the file is empty, is no picture that can be read here, or has too many pixels
    NOT_STORED         the media store cannot store it
    TOO_MANY           the report has more addresses than a POST may have photos
    NO_PUBLIC_URL      OPEN311_PUBLIC_URL is not set, so that the copy would have no address
    """

    GONE = "gone"
    REFUSED = "refused_by_server"
    FORBIDDEN_ADDRESS = "forbidden_address"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNREACHABLE = "unreachable"
    NOT_AN_IMAGE = "not_an_image"
    NOT_STORED = "not_stored"
    TOO_MANY = "too_many"
    NO_PUBLIC_URL = "no_public_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file in the body of a call.

    name        the name of its field
    size_bytes  its size
    data        None if the file is larger than a photo may be
    """

    name: str
    size_bytes: int
    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPhoto:
    """A photo that a client has sent, or that was fetched. Its kind was recognised by its first bytes.

    media_type  follows from the kind; what the client declares does not count
    copy_of     the address elsewhere from which it was fetched; "" if it was sent
    """

    media_type: str
    data: bytes = field(repr=False)
    copy_of: str = field(default="", repr=False)

    @property
    def content_hash(self) -> bytes:
        """The SHA-256 of the file. It never leaves the store and the database."""
        return sha256(self.data).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One size of a prepared photo, without its data.

    size        the name of the size, such as `small`
    width       the width in pixels
    height      the height in pixels
    size_bytes  the size of the file
    """

    size: str
    width: int
    height: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A stored photo.

    id              random, and public: the address of the photo has it
    request_id      the number of the request that has it; 0 while it arrives
    version         the request's version after the update or command that brought the photo; 0 if it came with the
                    report
    position        its place among the photos of the request
    is_public       whether all who may see the request may see the photo; otherwise only staff may
    own_address     the address of this server under which the sender of the photo called it
    reason          why it was refused, withdrawn or blackened; "" for none
    media_type      the media type of the original
    size_bytes      the size of the original
    original_until  until when the original is kept for staff; None if it is not kept any more
    kept_until      when a blackened photo is deleted with its files; None for other photos
    copy_of         the address elsewhere of which this is a copy; "" if the photo was sent here
    """

    jurisdiction_id: str
    id: str
    content_hash: bytes
    media_type: str
    size_bytes: int
    created_at: datetime
    position: int = 0
    request_id: int = 0
    version: int = 0
    state: PhotoState = PhotoState.ARRIVING
    is_public: bool = True
    own_address: str = ""
    reason: str = ""
    renditions: tuple[Rendition, ...] = ()
    prepared_at: datetime | None = None
    original_until: datetime | None = None
    kept_until: datetime | None = None
    copy_of: str = field(default="", repr=False)


class OwnPhotoState(StrEnum):
    """The state of a photo, as its sender reads it. The sender is not told why others do not see it.

    PREPARING  it is being prepared
    SHOWN      everybody can see it
    NOT_SHOWN  only the city sees it
    REFUSED    it could not be prepared, and is not kept
    """

    PREPARING = "preparing"
    SHOWN = "shown"
    NOT_SHOWN = "not_shown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class OwnPhoto:
    """What the sender of a photo reads about it. `description`: the state in words, with the reason."""

    state: OwnPhotoState
    description: str


@dataclass(frozen=True, slots=True)
class OwnPhotos:
    """The photos that came with a report, in their order."""

    photos: tuple[OwnPhoto, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPhoto:
    """A photo that a person must release, and what staff must know about its request.

    service_request_id  the id of the request; "" if it has none
    visibility          the visibility of the request; the public sees a released photo only if it sees the request
    """

    photo: Photo
    service_request_id: str
    service_code: str
    department: str
    visibility: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSearch:
    """Which held photos are listed.

    departments  only photos of requests of these departments; None for all
    after        time and id of the last photo of the page before; None for the first page
    """

    jurisdiction_id: str
    departments: tuple[str, ...] | None = None
    after: tuple[datetime, str] | None = None
    page_size: int = 50


def new_id() -> str:
    """A new id of a photo; nobody can guess it.

    It begins with a letter, because commands read a text that begins with a dash as an option.
    """
    return secrets.choice(string.ascii_letters) + secrets.token_urlsafe(16)[1:]


def address_of(photo: Photo, public_url: str, base: str) -> str:
    """The public address of a photo.

    public_url  the public address of the server; "" to use the photo's `own_address`
    base        the path below which photos are served
    """
    city = quote(photo.jurisdiction_id, safe="")
    return f"{(public_url or photo.own_address).rstrip('/')}{base}/{city}/{photo.id}.jpg"


def is_address_of(photo: Photo, url: str) -> bool:
    """Whether an address is that of a photo, under any public address that the server has or had."""
    return url.endswith(f"/{photo.id}.jpg")


def mark_of(url: str, salt: str) -> str:
    """A short digest by which an address is recognised.

    salt  makes the marks of one request useless for others
    """
    return blake2b(url.encode(), key=salt.encode()[:64], digest_size=4).hexdigest()


def added(addresses: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """The addresses of a request's photos, and then the new ones. Each address comes once."""
    return tuple(dict.fromkeys((*addresses, *new)))
