"""The table of what became of suggestions. It has counts only, and no text of a person."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, PrimaryKeyConstraint, SmallInteger, Table

from open311.storage.tables.columns import metadata, text_column

# How many reports came after a service was suggested. `rank` counts from 1, the best. `is_chosen`: whether the
# report was sent to this service.
suggestion_count = Table(
    "suggestion_count",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("service_code", None),
    Column("rank", SmallInteger, nullable=False),
    Column("is_chosen", Boolean, nullable=False),
    Column("reports", BigInteger, nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "service_code", "rank", "is_chosen"),
)
