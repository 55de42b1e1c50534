"""The tables of sensors: the last observation of each datastream, and the state of each rule for each thing."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    text,
)

from open311.storage.tables.columns import instant_column, metadata, text_column

# The newest observation of a datastream. The older ones are not kept.
sensor_reading = Table(
    "sensor_reading",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("datastream", None),
    text_column("thing", None),
    instant_column("observed_at"),  # when the result was true, by the thing's clock
    instant_column("result_at", nullable=True),
    Column("result", Double, nullable=False),
    instant_column("received_at"),  # by our clock
    Column("api_key_id", BigInteger, nullable=False),
    # How many observations have been stored in this row so far: those that were newer than the one before.
    Column("taken", BigInteger, nullable=False, server_default=text("1")),
    PrimaryKeyConstraint("jurisdiction_id", "datastream"),
)

# The state of a rule for a thing. If an observation changes a request too, both change in one transaction.
sensor_condition = Table(
    "sensor_condition",
    metadata,
    text_column("jurisdiction_id", None),
    text_column("thing", None),
    text_column("rule", None),
    text_column("phase", "calm"),
    instant_column("since", nullable=True),
    instant_column("observed_at", nullable=True),
    Column("result", Double, nullable=True),
    Column("worst", Double, nullable=True),
    Column("number", BigInteger, nullable=True),  # of the request; NULL for none
    instant_column("opened_at", nullable=True),
    instant_column("ended_at", nullable=True),  # when the sensor has closed the request
    Column("reopenings", Integer, nullable=False, server_default=text("0")),
    Column("repeats", BigInteger, nullable=False, server_default=text("0")),  # since the last note about them
    instant_column("noted_at", nullable=True),
    Column("is_left", Boolean, nullable=False, server_default=text("false")),
    instant_column("left_at", nullable=True),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("jurisdiction_id", "thing", "rule"),
    ForeignKeyConstraint(
        ["jurisdiction_id", "number"],
        ["service_request.jurisdiction_id", "service_request.id"],
        ondelete="CASCADE",
    ),
)
Index(
    "sensor_condition_request_idx",
    sensor_condition.c.jurisdiction_id,
    sensor_condition.c.number,
    postgresql_where=sensor_condition.c.number.is_not(None),
)
