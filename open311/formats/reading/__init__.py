"""Files of requests to rows: JSON, XML and CSV, in the columns of any publisher that a column map describes.

Nothing here judges what it reads; that is `open311.domain.mending`. Nothing here opens a file but the maps.
"""

from open311.formats.reading.columns import ColumnMap, SourceItem
from open311.formats.reading.maps import known_maps, shipped_maps
from open311.formats.reading.source import Source, open_source

__all__ = ["ColumnMap", "Source", "SourceItem", "known_maps", "open_source", "shipped_maps"]
