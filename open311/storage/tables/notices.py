"""The table of the notices of cities."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Column, Identity, Index, Integer, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from open311.storage.tables.columns import instant_column, metadata, text_column

city_notice = Table(
    "city_notice",
    metadata,
    text_column("jurisdiction_id", None),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("texts", JSONB, nullable=False),  # a list of objects with language, headline and description
    Column("service_codes", ARRAY(Text), nullable=False, server_default="{}"),
    text_column("area"),
    Column("polygon", JSONB(none_as_null=True), nullable=True),  # GeoJSON
    text_column("category", None),
    text_column("severity", None),
    instant_column("starts_at"),
    instant_column("ends_at"),
    instant_column("ended_at", nullable=True),  # when staff ended it early
    Column("sent_at", ARRAY(TIMESTAMP(timezone=True)), nullable=False),  # times of the messages about it, for CAP
    instant_column("created_at"),
    instant_column("changed_at"),
    text_column("actor", None),  # who has changed it last, such as staff:3
    PrimaryKeyConstraint("jurisdiction_id", "id"),
)
Index("city_notice_ends_idx", city_notice.c.jurisdiction_id, city_notice.c.ends_at)
