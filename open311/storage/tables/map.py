"""The tables behind the map's tiles: how many requests are in each cell of a grid, for zooms that show no points.

The grid is that of web maps: a cell of zoom Z is one of 2^Z times 2^Z squares of the world, numbered from the
north-west. There are cells of the zooms in `domain.tiles.CELL_ZOOMS`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, Table

from open311.storage.tables.columns import metadata, text_column

# The smallest cell, the service and the status under which a public request is counted now.
mapped_request = Table(
    "mapped_request",
    metadata,
    Column("request_id", BigInteger, nullable=False),
    Column("x", Integer, nullable=False),
    Column("y", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False),
    text_column("jurisdiction_id", None),
    text_column("service_code", None),
    PrimaryKeyConstraint("jurisdiction_id", "request_id"),
)

# The number of public requests in a cell, by service; the service "" stands for all services.
map_cell = Table(
    "map_cell",
    metadata,
    text_column("jurisdiction_id", None),
    Column("zoom", Integer, nullable=False),
    text_column("service_code", None),
    Column("x", Integer, nullable=False),
    Column("y", Integer, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=False),
    PrimaryKeyConstraint("jurisdiction_id", "zoom", "service_code", "x", "y"),
)
