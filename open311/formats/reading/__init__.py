"""Files of requests to rows: GeoReport JSON, XML and CSV in any known dialect, and the open data of cities.

Nothing here judges what it reads; that is `open311.domain.mending`. Nothing here opens a file.
"""

from open311.formats.reading.source import Source, SourceFormat, open_source

__all__ = ["Source", "SourceFormat", "open_source"]
