"""The link with which reporters read their own request without a login (decision 0038).

Whoever has the link is treated as the reporter. The link shows what the public would read of the request, also
while the request is held or private, and never who sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from open311.domain.access import Principal, Role
from open311.domain.ids import new_status_secret
from open311.domain.photos import OwnPhotos, Photo, is_address_of
from open311.domain.requests import TokenState, Visibility
from open311.errors import NotFound
from open311.formats import JSON, XML, Format, Shape, shape_of, with_fragments
from open311.formats.documents import json_fragments
from open311.operations.access.staff import require_role
from open311.operations.media.telling import own_photos
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publication_of, without_hidden
from open311.operations.workflow.act import require_department
from open311.operations.workflow.apply import load_request
from open311.plugins import Jurisdiction
from open311.storage import audit, history, media, origins, requests, status_links, supporters, tokens
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from schemas.arguments import EXTRA_FIELDS
from schemas.extensions import OwnPhotosSchema, PendingSchema
from schemas.texts import tell

MOST_SECRET_CHARACTERS = 100
EXTENDED = "extended_attributes"
_PENDING, _PHOTOS = shape_of(PendingSchema), shape_of(OwnPhotosSchema)


def read_by_link(
    platform: Platform,
    city: Jurisdiction,
    secret: str,
    output: Format,
    extras: Sequence[str] = (),
    *,
    language: str = "",
) -> bytes:
    """The request that a link is for, as an item of a list. If it has no id, its token follows.

    While the request is not public, this server sends its photos to nobody but staff. So their addresses are left
    out.

    extras    names from EXTRA_FIELDS: the fields to add. With extended_attributes, the states of the photos are
              added too
    language  the language of the words about photos; "" for English
    Raises NotFound, which does not repeat the secret, if there is no such link.
    """
    is_possible = len(secret) <= MOST_SECRET_CHARACTERS and secret.isascii()
    number = status_links.number_of(platform.database.hot.rows, city.id, secret) if is_possible else 0
    with platform.database.snapshot() as connection:
        record = requests.load_record(connection, city.id, number=number, is_locked=False) if number else None
        if record is None:
            raise NotFound(tell("This link is not or no longer valid; ask the city for a new one."))
        names = names_for(connection, city)
        notes = history.load_notes(connection, city.id, [number]).get(number, [])
        origin = origins.load(connection, city.id, [number]).get(number)
        repeats = [record.possible_duplicate_of] if record.possible_duplicate_of else []
        hidden = requests.hidden_among(connection, city.id, repeats)
        people = supporters.count(connection, city.id, [number]).get(number, 0)
        photos = media.load_all(connection, city.id, number)
        token = "" if record.service_request_id else tokens.token_of(connection, city.id, number)
    is_shown = record.visibility.is_shown and bool(record.service_request_id)
    urls = record.media_urls if is_shown else _elsewhere(record.media_urls, photos)
    own = replace(record, visibility=Visibility.PUBLIC, media_urls=urls)
    shown, public_notes = without_hidden(own, notes, names, hidden)
    rendition = publication_of(shown, names, public_notes, origin, people).rendition
    assert rendition is not None, "a public record is no tombstone"
    both = {JSON: (rendition.json, rendition.json_extras), XML: (rendition.xml, rendition.xml_extras)}
    body, added = both[output]
    chosen = [added[EXTRA_FIELDS.index(one)] for one in extras]
    photos_shown = own_photos(photos, is_request_shown=is_shown, language=language)
    if photos_shown.photos and EXTENDED in extras:
        chosen += _fields(_PHOTOS, photos_shown, output)
    if token:
        chosen += _fields(_PENDING, TokenState(token=token), output)
    return with_fragments(body.encode(), chosen, output) if chosen else body.encode()


def _elsewhere(urls: Sequence[str], photos: Sequence[Photo]) -> tuple[str, ...]:
    """The addresses without those of photos on this server."""
    return tuple(url for url in urls if not any(is_address_of(photo, url) for photo in photos))


def _fields(shape: Shape, value: TokenState | OwnPhotos, output: Format) -> Sequence[str]:
    """The fields of a body that follow those of the request."""
    content, markup = shape.parts(value)
    return json_fragments(content) if output is JSON else markup


def revoke_links(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    *,
    principal: Principal,
    now: datetime,
    reason: str = "",
) -> int:
    """End all links to a request. Returns how many there were.

    Raises NotFound for an unknown request, and Forbidden if the account may not work on it.
    """
    with platform.database.transaction() as connection:
        number = _number(connection, city, name, principal)
        ended = status_links.revoke(connection, city.id, number)
        if ended:
            _record(connection, city, number, "status_link.revoke", principal=principal, now=now, reason=reason)
    return ended


def renew_link(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    *,
    principal: Principal,
    now: datetime,
    reason: str = "",
) -> str:
    """End all links to a request and make a new one. Returns its secret.

    Raises NotFound for an unknown request, and Forbidden if the account may not work on it.
    """
    secret = new_status_secret()
    with platform.database.transaction() as connection:
        number = _number(connection, city, name, principal)
        status_links.replace(connection, city.id, number, secret, now)
        _record(connection, city, number, "status_link.renew", principal=principal, now=now, reason=reason)
    return secret


def _number(connection: Connection, city: Jurisdiction, name: str | int, principal: Principal) -> int:
    """The number of a request, which stays locked. Raises NotFound and Forbidden as `revoke_links` does."""
    require_role(principal, Role.AGENT)
    record = load_request(connection, city, name)
    require_department(principal, city, record)
    return record.number


def _record(
    connection: Connection,
    city: Jurisdiction,
    number: int,
    act: str,
    principal: Principal,
    now: datetime,
    reason: str,
) -> None:
    entry = Entry(
        jurisdiction_id=city.id, at=now, actor=str(principal), act=act, subject=str(number), reason=reason
    )
    audit.add_entry(connection, entry)
