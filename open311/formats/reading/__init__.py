"""Reads files of requests into rows: JSON, XML and CSV, with the columns of any publisher that has a column map.

This package does not check the values; `open311.domain.mending` does. The only files that it opens itself are the
column maps.
"""

from open311.formats.reading.columns import ColumnMap, SourceItem
from open311.formats.reading.maps import known_maps, shipped_maps
from open311.formats.reading.source import Source, open_source

__all__ = ["ColumnMap", "Source", "SourceItem", "known_maps", "open_source", "shipped_maps"]
