"""Photos, as rows. Their files are in the media store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Connection,
    LargeBinary,
    Row,
    Text,
    any_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import INTEGER

from open311.domain.photos import HeldPhoto, HeldSearch, Photo, PhotoState, Rendition
from open311.storage.copying import insert_rows
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import media, publication, service_request


def add(connection: Connection, photos: Sequence[Photo]) -> None:
    """Store photos. From now on, the clean-up of files keeps their files."""
    insert_rows(connection, media, [_values(photo) for photo in photos])


def attach(
    run: Run, jurisdiction_id: str, number: int, ids: Sequence[str], *, version: int = 0, is_public: bool = True
) -> None:
    """Give arrived photos to a request, after the photos that it has.

    version    the request's version after the update or command that brought the photos; 0 for those of the report
    is_public  whether everybody who may see the request may also see the photos
    """
    values = {"jurisdiction_id": jurisdiction_id, "request_id": number, "ids": list(ids)}
    run(_attach(), values | {"version": version, "is_public": is_public})


def count(connection: Connection, jurisdiction_id: str, number: int, *, version: int = 0) -> int:
    """How many photos came as files with a request, or with one of its updates."""
    columns = media.c
    found: int = connection.execute(
        select(func.count()).where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == number,
            columns.version == version,
            columns.copy_of == "",
        )
    ).scalar_one()
    return found


def load_all(connection: Connection, jurisdiction_id: str, number: int) -> list[Photo]:
    """The photos of a request, in their order."""
    columns = media.c
    query = select(media).where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == number)
    return [_photo(row) for row in connection.execute(query.order_by(columns.position, columns.id))]


def find_shown(connection: Connection, jurisdiction_id: str, id: str) -> Photo | None:
    """A photo that everybody may see: it is ready, and its request can be read. None if there is no such photo."""
    columns = media.c
    row = connection.execute(
        select(media).where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.id == id,
            columns.state == PhotoState.READY,
            columns.is_public,
            publication.c.jurisdiction_id == columns.jurisdiction_id,
            publication.c.id == columns.request_id,
            publication.c.visibility.in_(("public", "unlisted")),
        )
    ).one_or_none()
    return None if row is None else _photo(row)


_PLACE = ("request_id", "version", "position", "created_at", "original_until")


def settle(connection: Connection, photo: Photo) -> None:
    """Store the state of a photo, and what belongs to it. The transaction holds a lock on the photo's request."""
    columns = media.c
    names = ("state", "reason", "is_public", "renditions", "prepared_at", "kept_until", *_PLACE)
    values = _values(photo)
    connection.execute(
        update(media)
        .where(columns.jurisdiction_id == photo.jurisdiction_id, columns.id == photo.id)
        .values({name: values[name] for name in names})
    )


def move(connection: Connection, jurisdiction_id: str, number: int, old: int, new: int) -> None:
    """Store that the photos of a request's update belong to another version, as the update itself now does."""
    columns = media.c
    connection.execute(
        update(media)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == number, columns.version == old)
        .values(version=new)
    )


def forget_original(connection: Connection, photo: Photo) -> None:
    """Store that the original of a photo is no longer kept."""
    columns = media.c
    connection.execute(
        update(media)
        .where(columns.jurisdiction_id == photo.jurisdiction_id, columns.id == photo.id)
        .values(original_until=None)
    )


def find_held(connection: Connection, search: HeldSearch) -> list[HeldPhoto]:
    """Held photos, oldest first, each with its request; one more than a page has, if there is one.

    Uses the index `media_held_idx`.
    """
    columns, requests = media.c, service_request.c
    query = (
        select(media, requests.service_request_id, requests.service_code, requests.department, requests.visibility)
        .join(
            service_request,
            (requests.jurisdiction_id == columns.jurisdiction_id) & (requests.id == columns.request_id),
        )
        .where(columns.jurisdiction_id == search.jurisdiction_id, columns.state == literal_column("'held'"))
        .order_by(columns.created_at, columns.id)
        .limit(literal_column(str(search.page_size + 1)))
    )
    if search.departments is not None:
        query = query.where(requests.department.in_(search.departments))
    if search.after is not None:
        query = query.where(tuple_(columns.created_at, columns.id) > search.after)
    return [
        HeldPhoto(
            photo=_photo(row),
            service_request_id=row.service_request_id or "",
            service_code=row.service_code,
            department=row.department,
            visibility=row.visibility,
        )
        for row in connection.execute(query)
    ]


def count_held(connection: Connection, jurisdiction_id: str) -> dict[str, int]:
    """How many photos are held, by the department of their request. Uses the index `media_held_idx`."""
    columns, requests = media.c, service_request.c
    query = (
        select(requests.department, func.count())
        .join(media, (requests.jurisdiction_id == columns.jurisdiction_id) & (requests.id == columns.request_id))
        .where(columns.jurisdiction_id == jurisdiction_id, columns.state == literal_column("'held'"))
        .group_by(requests.department)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def load_outlived(connection: Connection, jurisdiction_id: str, now: datetime, most: int) -> list[Photo]:
    """Photos that were replaced by photos with black boxes and whose `kept_until` is past."""
    columns = media.c
    query = select(media).where(columns.jurisdiction_id == jurisdiction_id, columns.kept_until <= now)
    return [_photo(row) for row in connection.execute(query.order_by(columns.kept_until).limit(most))]


def delete_photos(connection: Connection, photos: Iterable[Photo]) -> None:
    """Delete the rows of photos."""
    columns = media.c
    for photo in photos:
        connection.execute(
            delete(media).where(columns.jurisdiction_id == photo.jurisdiction_id, columns.id == photo.id)
        )


def delete_arriving(connection: Connection, photos: Iterable[Photo]) -> list[Photo]:
    """Of these photos, delete the rows that belong to no request. Returns the deleted photos."""
    columns = media.c
    found = []
    for photo in photos:
        is_mine = (columns.jurisdiction_id == photo.jurisdiction_id) & (columns.id == photo.id)
        if connection.execute(delete(media).where(is_mine, columns.state == PhotoState.ARRIVING)).rowcount:
            found.append(photo)
    return found


def lock_content(connection: Connection, jurisdiction_id: str, content_hash: bytes) -> None:
    """Let nobody else claim or delete the files with this content until the transaction ends."""
    name = f"media {jurisdiction_id} {content_hash.hex()}"
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def claims_among(
    connection: Connection, jurisdiction_id: str, contents: Collection[bytes], now: datetime
) -> dict[bytes, bool]:
    """Which of these contents belong to photos, and for each whether a photo needs the original.

    A photo needs the original until the photo is prepared, and while the original is kept for staff.
    """
    columns = media.c
    is_due = columns.state.in_((PhotoState.ARRIVING, PhotoState.WAITING)) | (columns.original_until > now)
    query = (
        select(columns.content_hash, func.bool_or(func.coalesce(is_due, False)))
        .where(columns.jurisdiction_id == jurisdiction_id)
        .where(columns.content_hash == any_(bindparam(None, list(contents), ARRAY(LargeBinary))))
        .group_by(columns.content_hash)
    )
    return {bytes(content): is_needed for content, is_needed in connection.execute(query)}


def load_stale(connection: Connection, jurisdiction_id: str, before: datetime, most: int) -> list[Photo]:
    """Photos that began to arrive before an instant and still belong to no request."""
    columns = media.c
    query = select(media).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.state == PhotoState.ARRIVING,
        columns.created_at < before,
    )
    return [_photo(row) for row in connection.execute(query.order_by(columns.created_at).limit(most))]


def load_expired(connection: Connection, jurisdiction_id: str, now: datetime, most: int) -> list[Photo]:
    """Photos whose `original_until` is past."""
    columns = media.c
    query = select(media).where(columns.jurisdiction_id == jurisdiction_id, columns.original_until <= now)
    return [_photo(row) for row in connection.execute(query.order_by(columns.original_until).limit(most))]


def load_waiting(connection: Connection, jurisdiction_id: str) -> list[int]:
    """The numbers of the requests that have photos to prepare."""
    columns = media.c
    query = (
        select(columns.request_id)
        .distinct()
        .where(columns.jurisdiction_id == jurisdiction_id, columns.state == PhotoState.WAITING)
    )
    return list(connection.execute(query).scalars())


def count_unshown(connection: Connection, cities: Iterable[str], most: int) -> dict[tuple[str, PhotoState], int]:
    """The number of photos that wait, are held, or were refused, by city and state. No number is above `most`."""
    return {
        (city, state): _count_of(connection, city, state, most)
        for city in cities
        for state in (PhotoState.WAITING, PhotoState.HELD, PhotoState.REFUSED)
    }


def _count_of(connection: Connection, city: str, state: PhotoState, most: int) -> int:
    columns = media.c
    rows = (
        select(columns.id)
        .where(columns.jurisdiction_id == city, columns.state == literal_column(f"'{state}'"))
        .limit(most)
        .subquery()
    )
    found: int = connection.execute(select(func.count()).select_from(rows)).scalar_one()
    return found


def waiting_among(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[int]:
    """Which of these requests have photos to prepare, by number."""
    columns = media.c
    query = (
        select(columns.request_id)
        .distinct()
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns.state == PhotoState.WAITING,
        )
    )
    return list(connection.execute(query).scalars())


def load_page(connection: Connection, jurisdiction_id: str, after: str, most: int) -> list[Photo]:
    """A page of the city's photos that requests have, by id. `after`: the last id of the page before, or ""."""
    columns = media.c
    query = select(media).where(
        columns.jurisdiction_id == jurisdiction_id, columns.id > after, columns.state != PhotoState.ARRIVING
    )
    return [_photo(row) for row in connection.execute(query.order_by(columns.id).limit(most))]


@cache
def _attach() -> Statement:
    columns = media.c
    ids = cast(bindparam("ids"), ARRAY(Text))
    mine = (
        columns.jurisdiction_id == bindparam("jurisdiction_id"),
        columns.request_id == cast(bindparam("request_id"), BigInteger),
    )
    held = select(func.count()).where(*mine).scalar_subquery()
    statement = (
        update(media)
        .where(columns.jurisdiction_id == bindparam("jurisdiction_id"), columns.id == any_(ids))
        .values(
            request_id=cast(bindparam("request_id"), BigInteger),
            version=cast(bindparam("version"), BigInteger),
            is_public=cast(bindparam("is_public"), Boolean),
            position=held + cast(func.array_position(ids, columns.id), INTEGER),
            state=literal_column(f"'{PhotoState.WAITING}'"),
        )
        .returning(columns.id)
    )
    return Statement.of(statement)


def _values(photo: Photo) -> dict[str, Any]:
    plain = asdict(photo)
    return plain | {"request_id": photo.request_id or None, "renditions": list(plain["renditions"])}


def _photo(row: Row[Any]) -> Photo:
    values = {name: value for name, value in row._mapping.items() if name in media.c}
    values |= {
        "request_id": row.request_id or 0,
        "state": PhotoState(row.state),
        "content_hash": bytes(row.content_hash),
        "renditions": tuple(Rendition(**one) for one in row.renditions),
    }
    return Photo(**values)
