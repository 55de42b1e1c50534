"""The tables, as the queries name them. The migrations make them; a test proves both alike.

jurisdiction_id is the first column of every key, so that the schema can be distributed by it. Instants are UTC.
"""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, TSVECTOR
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(referred_table_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


class TransactionId(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id: commit order, which a sequence is not."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


def _text(name: str, default: str | None = "") -> Column[str]:
    """A text column; "" where there is nothing, so that nobody has to ask for NULL as well."""
    return Column(name, Text, nullable=False, server_default=default)


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable)


# Names of a city's catalogue, written down for joins and history.
jurisdiction = Table(
    "jurisdiction",
    metadata,
    _text("jurisdiction_id", None),
    _text("name", None),
    _text("digest", None),  # of the catalogue; when it changes, so does the changeset
    _instant("changeset"),
    PrimaryKeyConstraint("jurisdiction_id"),
)

department = Table(
    "department",
    metadata,
    _text("jurisdiction_id", None),
    _text("code", None),
    _text("name", None),
    PrimaryKeyConstraint("jurisdiction_id", "code"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
)

service = Table(
    "service",
    metadata,
    _text("jurisdiction_id", None),
    _text("code", None),
    _text("name", None),
    _text("group_name"),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),  # false: retired
    PrimaryKeyConstraint("jurisdiction_id", "code"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
)

request_number = Sequence("request_number", metadata=metadata, increment=16)

service_request = Table(
    "service_request",
    metadata,
    _text("jurisdiction_id", None),
    Column("id", BigInteger, nullable=False),  # ours, never shown
    Column("service_request_id", Text),  # NULL while a token stands for it, and for blackbox services
    _text("service_code", None),
    _text("status", "open"),
    _text("detailed_status"),  # the back office's own word
    _text("outcome"),  # what came of it, once closed
    _text("status_notes"),
    _text("description"),
    _text("department"),  # code; "" where only agency_responsible is known, and for test keys
    _text("agency_responsible"),  # as imported; "" to show the department's name
    _text("route_reason"),
    Column("is_triage", Boolean, nullable=False, server_default=text("false")),
    _text("service_notice"),
    _instant("requested_at"),
    _instant("updated_at"),  # as shown: the closing time once closed
    _instant("changed_at"),  # the true last change
    _instant("expected_at", nullable=True),
    Column("lat", Double),  # as sent
    Column("long", Double),
    Column("point", Geometry("POINT", srid=4326, spatial_index=False)),
    _text("address"),
    _text("address_id"),
    _text("zipcode"),
    Column("is_outside", Boolean, nullable=False, server_default=text("false")),
    Column("areas", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # names, as of the report
    Column("media_urls", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("answers", JSONB, nullable=False, server_default=text("'[]'")),  # [{"code": …, "values": [...]}]
    _text("visibility", "public"),  # public, unlisted (by id only) or private
    _text("source", "api"),  # api, import or example
    _text("channel"),  # how it came to the city: api, phone, web, …
    _text("possible_duplicate_of"),  # service_request_id of an earlier one nearby, as of the report
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "service_request_id"),
    ForeignKeyConstraint(["jurisdiction_id", "service_code"], ["service.jurisdiction_id", "service.code"]),
)
Index("service_request_service_idx", service_request.c.jurisdiction_id, service_request.c.service_code)

request_token = Table(
    "request_token",
    metadata,
    _text("jurisdiction_id", None),
    _text("token", None),
    Column("request_id", BigInteger, nullable=False),
    _text("service_request_id"),  # "" until it is resolved
    _text("failure"),  # why it will never be
    PrimaryKeyConstraint("jurisdiction_id", "token"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("request_token_request_idx", request_token.c.jurisdiction_id, request_token.c.request_id)

reporter = Table(
    "reporter",
    metadata,
    _text("jurisdiction_id", None),
    Column("request_id", BigInteger, nullable=False),
    _text("email"),
    _text("first_name"),
    _text("last_name"),
    _text("phone"),
    _text("device_id"),
    _text("account_id"),
    PrimaryKeyConstraint("jurisdiction_id", "request_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)

request_event = Table(
    "request_event",
    metadata,
    _text("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("request_id", BigInteger, nullable=False),
    _instant("at"),
    _text("kind", None),  # as domain.requests.Event lists them
    _text("visibility", "staff"),  # public or staff
    _text("description"),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index("request_event_request_idx", request_event.c.jurisdiction_id, request_event.c.request_id)

# What the public can see of a request, and all that public routes may read. Columns of fixed width come first, and
# what lists read before what few ask for: PostgreSQL finds a row's columns in their order.
publication = Table(
    "publication",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("digest", BigInteger, nullable=False),  # of both renditions; lists make their ETags of it
    _instant("requested_at"),
    _instant("updated_at"),
    _instant("changed_at"),
    Column("written_by", TransactionId, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("has_media", Boolean, nullable=False, server_default=text("false")),
    Column("was_public", Boolean, nullable=False),  # ever: the change feed tells of no others
    _text("jurisdiction_id", None),
    _text("visibility", None),  # public, unlisted, or withdrawn: a tombstone without renditions
    _text("json", None),
    _text("xml", None),
    _text("service_request_id", None),
    _text("service_code", None),
    _text("status", None),
    _text("agency"),  # agency_responsible
    Column("json_extras", ARRAY(Text), nullable=False),  # extended_attributes, notes, attributes
    Column("xml_extras", ARRAY(Text), nullable=False),
    Column("areas", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("words", TSVECTOR, nullable=False),  # what q= looks through, accents folded
    Column("lat", Double),
    Column("long", Double),
    Column("point", Geometry("POINT", srid=4326, spatial_index=False)),
    _text("bulk_csv", None),  # its line in the CSV of GeoReport Bulk
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "service_request_id"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "id"], ["service_request.jurisdiction_id", "service_request.id"], ondelete="CASCADE"
    ),
    # Searches rely on it: a bound on one is a bound on another.
    CheckConstraint("requested_at <= updated_at AND updated_at <= changed_at", name="publication_instants_check"),
)
# How far a jurisdiction's publications are rendered anew for its newest names and renderer.
edition = Table(
    "edition",
    metadata,
    _text("jurisdiction_id", None),
    _text("edition", None),
    Column("rendered_until", BigInteger, nullable=False, server_default=text("0")),  # service_request.id
    _instant("begun_at"),
    _instant("finished_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
)

_listed = text("visibility = 'public'")
_newest = (publication.c.requested_at.desc(), publication.c.id.desc())
# At the end of keys that a list goes by, so that what does not fit is passed over without a look at its row.
_place = (publication.c.lat, publication.c.long)
Index(
    "publication_newest_idx",
    publication.c.jurisdiction_id,
    *_newest,
    *_place,
    publication.c.changed_at,
    # So that a validator, a count and what lies before a page are found in the index alone.
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

# Where the change feed stood at an instant: what is committed after `at` is written by `horizon` or later.
change_mark = Table(
    "change_mark",
    metadata,
    _text("jurisdiction_id", None),
    _instant("at"),
    Column("horizon", TransactionId, nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "at"),
    ForeignKeyConstraint(["jurisdiction_id"], ["jurisdiction.jurisdiction_id"]),
)

api_key = Table(
    "api_key",
    metadata,
    _text("jurisdiction_id", None),  # "*" for all
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the key; a key has 192 random bits
    _text("label", None),
    _text("contact"),
    Column("is_test", Boolean, nullable=False, server_default=text("false")),
    _instant("created_at"),
    _instant("revoked_at", nullable=True),
    PrimaryKeyConstraint("jurisdiction_id", "id"),
    UniqueConstraint("jurisdiction_id", "digest"),
)
Index("api_key_digest_idx", api_key.c.digest)

# Answers to repeat for a client that sends the same POST again within a day.
repeatable_post = Table(
    "repeatable_post",
    metadata,
    _text("jurisdiction_id", None),
    Column("api_key_id", BigInteger, nullable=False),
    _text("client_key", None),
    Column("digest", LargeBinary, nullable=False),
    Column("request_id", BigInteger, nullable=False),
    _instant("created_at"),
    PrimaryKeyConstraint("jurisdiction_id", "api_key_id", "client_key"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "request_id"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    ),
)
Index("repeatable_post_created_idx", repeatable_post.c.created_at)
