"""Files of requests to rows: GeoReport JSON, XML and CSV in any known dialect, and the open data of cities.

Nothing here judges what it reads; that is `open311.domain.mending`. Nothing here opens a file.
"""

from open311.formats.reading.source import Source, SourceFormat, open_source, vocabulary_named
from open311.formats.reading.vocabulary import SourceItem, Vocabulary

__all__ = ["Source", "SourceFormat", "SourceItem", "Vocabulary", "open_source", "vocabulary_named"]
