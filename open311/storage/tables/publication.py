"""The tables of publications, of editions and of the change feed's marks."""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from open311.storage.tables.columns import TransactionId, instant_column, metadata, text_column

# Everything that the public can see of a request. GETs that anybody can call read requests from this table. Columns
# that have a fixed width and are never NULL come first, then those that lists read, because PostgreSQL reads the
# columns of a row one after the other.
publication = Table(
    "publication",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("digest", BigInteger, nullable=False),  # digest of both renditions; the ETag of a list combines digests
    instant_column("requested_at"),
    instant_column("updated_at"),
    instant_column("changed_at"),
    Column("written_by", TransactionId, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("has_media", Boolean, nullable=False, server_default=text("false")),
    Column(
        "was_public", Boolean, nullable=False
    ),  # the request is or was public; the change feed has only such rows
    text_column("jurisdiction_id", None),
    text_column("visibility", None),  # public, unlisted or withdrawn; a withdrawn row has no renditions
    text_column("json", None),
    text_column("xml", None),
    text_column("service_request_id", None),
    text_column("service_code", None),
    text_column("status", None),
    text_column("agency"),  # agency_responsible
    Column("json_extras", ARRAY(Text), nullable=False),  # extended_attributes, notes, attributes
    Column("xml_extras", ARRAY(Text), nullable=False),
    Column("areas", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("words", TSVECTOR, nullable=False),  # the text that q= searches, without accents
    Column("lat", Double),
    Column("long", Double),
    Column("point", Geometry("POINT", srid=4326, spatial_index=False)),
    text_column("bulk_csv", None),  # the request's line in the CSV of GeoReport Bulk
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "service_request_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "id"], ["service_request.jurisdiction_id", "service_request.id"], ondelete="CASCADE"
    ),
    # Searches rely on this order: a lower bound also holds for the later instants, an upper bound for the earlier
    # ones.
    CheckConstraint("requested_at <= updated_at AND updated_at <= changed_at", name="publication_instants_check"),
)
# The requests whose texts have personal data that the public does not read, for the queues of staff. It has the
# kinds only, not the data.
personal_data = Table(
    "personal_data",
    metadata,
    text_column("jurisdiction_id", None),
    Column("request_id", BigInteger, nullable=False),
    Column("kinds", ARRAY(Text), nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "request_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
# The version of names and renderer that a jurisdiction's publications are rendered with, and the progress.
edition = Table(
    "edition",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("edition", None),
    Column("rendered_until", BigInteger, nullable=False, server_default=text("0")),  # a service_request.id
    instant_column("begun_at"),
    instant_column("finished_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
)

published_department = func.published_department(publication.c.json_extras)
"""The code of the department of a publication, from its extended_attributes; "" for none. See migration 0005."""
close_cell = func.close_cell(publication.c.lat, publication.c.long)
"""The number of the cell of `domain.tiles.CLOSE_ZOOM` that a publication's place is in. See migration 0023."""

_listed = text("visibility = 'public'")
_newest = (publication.c.requested_at.desc(), publication.c.id.desc())
# Columns added to the indexes of lists, so that an index scan can skip rows outside a box.
_place = (publication.c.lat, publication.c.long)
Index(
    "publication_newest_idx",
    publication.c.jurisdiction_id,
    *_newest,
    *_place,
    publication.c.changed_at,
    # With these columns, an index-only scan is enough for ETags, counts and OFFSET.
    postgresql_include=["digest", "status", "has_media"],
    postgresql_where=_listed,
)
Index(
    "publication_service_idx",
    publication.c.jurisdiction_id,
    publication.c.service_code,
    *_newest,
    *_place,
    postgresql_where=_listed,
)
Index(
    "publication_open_idx",
    publication.c.jurisdiction_id,
    publication.c.service_code,
    *_newest,
    postgresql_where=text("visibility = 'public' AND status = 'open'"),
)
Index(
    "publication_open_newest_idx",
    publication.c.jurisdiction_id,
    *_newest,
    postgresql_where=text("visibility = 'public' AND status = 'open'"),
)
Index(
    "publication_changed_idx",
    publication.c.jurisdiction_id,
    publication.c.changed_at,
    publication.c.id,
    postgresql_where=_listed,
)
Index(
    "publication_updated_idx",
    publication.c.jurisdiction_id,
    publication.c.updated_at,
    publication.c.id,
    *_place,
    publication.c.changed_at,
    postgresql_where=_listed,
)
Index(
    "publication_agency_idx",
    publication.c.jurisdiction_id,
    publication.c.agency,
    *_newest,
    *_place,
    postgresql_where=_listed,
)
Index(
    "publication_department_idx",
    publication.c.jurisdiction_id,
    published_department,
    *_newest,
    *_place,
    postgresql_where=_listed,
)
Index(
    "publication_media_idx",
    publication.c.jurisdiction_id,
    *_newest,
    postgresql_where=text("visibility = 'public' AND has_media"),
)
Index(
    "publication_words_idx",
    publication.c.words,
    postgresql_using="gin",
    postgresql_where=_listed,
)
Index(
    "publication_areas_idx",
    publication.c.areas,
    postgresql_using="gin",
    postgresql_where=text("visibility = 'public' AND areas <> '{}'"),
)
Index(
    "publication_written_idx",
    publication.c.jurisdiction_id,
    publication.c.written_by,
    publication.c.id,
    postgresql_where=text("was_public"),
)
Index(
    "publication_point_idx",
    publication.c.jurisdiction_id,
    publication.c.point,
    publication.c.requested_at,
    postgresql_using="gist",
    postgresql_where=_listed,
)
# Close tiles of the map find the newest requests of each cell. Index-only scans have all that a tile shows.
for _name, _rows in (("cell", "visibility = 'public'"), ("open_cell", "visibility = 'public' AND status = 'open'")):
    Index(
        f"publication_{_name}_idx",
        publication.c.jurisdiction_id,
        close_cell,
        *_newest,
        *_place,
        publication.c.service_code,
        postgresql_include=["status", "updated_at", "service_request_id"],
        postgresql_where=text(_rows),
    )

# The horizon of the change feed at an instant. Rows committed after `at` have a `written_by` of at least `horizon`.
# `timeline` is the timeline of the primary that wrote the mark. Marks of releases that did not know timelines have
# 1, as their cursors do.
change_mark = Table(
    "change_mark",
    metadata,
    text_column("jurisdiction_id", None),
    instant_column("at"),
    Column("horizon", TransactionId, nullable=False),
    Column("timeline", Integer, server_default=text("1"), nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "at"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
    Index("change_mark_by_timeline", "jurisdiction_id", "timeline", "horizon"),
)
