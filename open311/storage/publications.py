"""Functions that write publications. A publication is one row with all that the public can see of a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    or_,
)
from sqlalchemy.dialects.postgresql import REGCONFIG, Insert, insert

from open311.domain.places import Place
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.values import quick_dataclass
from open311.formats import Rendition
from open311.storage.copying import FEW, all_of, computed, copy_rows, stage_of, staged
from open311.storage.geometry import point_bytes, point_from, point_of
from open311.storage.tables import personal_data, publication

WITHDRAWN = "withdrawn"
_WRITTEN = [item.name for item in publication.c if item.name != "written_by"]
_STAGE = stage_of(
    publication, *(Column(name, Text) for name in ("words", "words_language", "point")), without=["written_by"]
)

_LANGUAGES = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}


@quick_dataclass(frozen=True, slots=True)
class Publication:
    """A record and its rendition, which are written as one row. A publication without a rendition is a tombstone.

    agency    the text of agency_responsible
    words     the folded text that the parameter `q` searches
    personal_data  the kinds of personal data that the texts have and that the public does not read
    language  PostgreSQL's text search configuration for `words`
    """

    record: RequestRecord
    rendition: Rendition | None
    agency: str = ""
    words: str = ""
    language: str = "simple"
    personal_data: tuple[str, ...] = ()


@cache
def text_search_language(tag: str) -> str:
    """PostgreSQL's text search configuration for a BCP 47 tag; `simple`, without stemming, for other languages."""
    return _LANGUAGES.get(tag.partition("-")[0].lower(), "simple")


def write_publications(connection: Connection, items: Sequence[Publication]) -> None:
    """Insert or update publications, in the caller's transaction."""
    _write_personal_data(connection, items)
    rows = [publication_values(item) for item in items]
    if len(rows) > FEW:
        with staged(connection, _STAGE, rows):
            connection.execute(_upsert_staged())
    elif rows:
        connection.execute(_upsert(), rows)


def add_publications(connection: Connection, items: Sequence[Publication]) -> None:
    """Insert the publications of requests that have none yet, in the caller's transaction."""
    if len(items) <= FEW:
        write_publications(connection, items)
        return
    _write_personal_data(connection, items, are_new=True)
    rows = [publication_values(item, point_bytes) for item in items]
    for language in {item.language for item in items}:
        own = [row for row in rows if row["words_language"] == language]
        vector_of = f"to_tsvector('{language}'::regconfig, given)"  # PostgreSQL looks a constant up only once
        vectors = computed(connection, vector_of, [row["words"] for row in own])
        for row, vector in zip(own, vectors, strict=True):
            row["words"] = vector
    copy_rows(connection, publication, rows)


def _write_personal_data(connection: Connection, items: Sequence[Publication], *, are_new: bool = False) -> None:
    """Store which of these requests have personal data in their texts."""
    if not items:
        return
    columns = personal_data.c
    without = [] if are_new else [item.record.number for item in items if not item.personal_data]
    if without:
        connection.execute(
            delete(personal_data).where(
                columns.jurisdiction_id == items[0].record.jurisdiction_id,
                columns.request_id == any_(bindparam(None, without, ARRAY(BigInteger))),
            )
        )
    rows = [
        {
            "jurisdiction_id": item.record.jurisdiction_id,
            "request_id": item.record.number,
            "kinds": list(item.personal_data),
        }
        for item in items
        if item.personal_data
    ]
    if rows:
        statement = insert(personal_data)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["jurisdiction_id", "request_id"], set_={"kinds": statement.excluded.kinds}
            ),
            rows,
        )


@cache
def _upsert() -> Insert:
    return _or_update(insert(publication).values({name: publication_parameter(name, name) for name in _WRITTEN}))


@cache
def _upsert_staged() -> Insert:
    language = cast(_STAGE.c.words_language, REGCONFIG)
    words, point = func.to_tsvector(language, _STAGE.c.words), point_from(_STAGE.c.point)
    return _or_update(
        insert(publication).from_select(*all_of(_STAGE, words=words, words_language=None, point=point))
    )


def _or_update(statement: Insert) -> Insert:
    """The statement with ON CONFLICT DO UPDATE, which replaces an existing publication."""
    changes: dict[str, Any] = {
        name: statement.excluded[name] for name in _WRITTEN if name not in ("jurisdiction_id", "id")
    }
    columns, new = publication.c, statement.excluded
    changes["was_public"] = or_(columns.was_public, new.was_public)
    # A row with an equal rendition keeps its transaction id and the time of its change, because the public sees no
    # change. But an id in the future comes from another server's backup. A row with such an id is written like a
    # changed row: it gets the id of this transaction and the new time.
    is_same = and_(
        columns.digest == new.digest,
        columns.visibility == new.visibility,
        columns.written_by < func.pg_current_xact_id(),
    )
    changes["written_by"] = case((is_same, columns.written_by), else_=func.pg_current_xact_id())
    shown_at = func.greatest(columns.changed_at, new.updated_at)  # the rendition has no fractions of a second
    changes["changed_at"] = case((is_same, shown_at), else_=new.changed_at)
    return statement.on_conflict_do_update(index_elements=["jurisdiction_id", "id"], set_=changes)


def publication_parameter(column: str, name: str) -> ColumnElement[Any]:
    """The parameter for a column. The parameter for `words` is converted to a tsvector."""
    if column == "words":
        language = cast(bindparam(f"{name}_language", type_=Text), REGCONFIG)
        return func.to_tsvector(language, bindparam(name, type_=Text))
    return bindparam(name, type_=publication.c[column].type)


def publication_values(item: Publication, point: Callable[[Place], Any] = point_of) -> dict[str, Any]:
    """A publication as values of its columns' parameters. `point` makes the value of the point."""
    record, rendition = item.record, item.rendition
    return {
        "jurisdiction_id": record.jurisdiction_id,
        "id": record.number,
        "service_request_id": record.service_request_id,
        "service_code": record.service_code,
        "status": record.status,
        "requested_at": record.requested_at,
        "updated_at": record.updated_at,
        "changed_at": record.changed_at,
        "lat": record.place.lat if rendition else None,
        "long": record.place.long if rendition else None,
        "point": point(record.place) if rendition else None,
        "visibility": record.visibility if rendition else WITHDRAWN,
        "was_public": rendition is not None and record.visibility is Visibility.PUBLIC,
        "agency": item.agency,
        "has_media": bool(rendition and record.media_urls),
        "areas": list(record.areas) if rendition else [],
        "words": item.words,
        "words_language": item.language,
        "json": rendition.json if rendition else "",
        "xml": rendition.xml if rendition else "",
        "json_extras": list(rendition.json_extras) if rendition else [],
        "xml_extras": list(rendition.xml_extras) if rendition else [],
        "bulk_csv": rendition.bulk_csv if rendition else "",
        "digest": rendition.digest if rendition else 0,
    }
