"""Writes requests, notices and days of a city in formats other than the standard's JSON and XML."""

from open311.formats.writing.activities import ActivityFormat, Outbox, write_collection, write_page
from open311.formats.writing.atom import AtomFeed, write_atom
from open311.formats.writing.bulk import (
    BulkCsvWriter,
    BulkFormat,
    BulkJsonWriter,
    BulkXmlWriter,
    bulk_csv_line,
    bulk_writer,
)
from open311.formats.writing.cap import Alert, AlertFormat, AlertIndex, sender_of, write_alert_index, write_cap
from open311.formats.writing.csv import CsvWriter, csv_columns, csv_lines, harmless
from open311.formats.writing.feeds import Feed
from open311.formats.writing.geojson import GeoJsonWriter
from open311.formats.writing.geoparquet import GeoParquetWriter, can_write_geoparquet
from open311.formats.writing.inquiry import (
    FeedDay,
    FileEvent,
    InquiryFormat,
    TodayFeed,
    write_calendar,
    write_today,
)
from open311.formats.writing.ndjson import NdjsonWriter
from open311.formats.writing.tiles import TileFormat
from open311.formats.writing.writer import Writer, in_pieces, whole

__all__ = [
    "ActivityFormat",
    "Alert",
    "AlertFormat",
    "AlertIndex",
    "AtomFeed",
    "BulkCsvWriter",
    "BulkFormat",
    "BulkJsonWriter",
    "BulkXmlWriter",
    "CsvWriter",
    "Feed",
    "FeedDay",
    "FileEvent",
    "GeoJsonWriter",
    "GeoParquetWriter",
    "InquiryFormat",
    "NdjsonWriter",
    "Outbox",
    "TileFormat",
    "TodayFeed",
    "Writer",
    "bulk_csv_line",
    "bulk_writer",
    "can_write_geoparquet",
    "csv_columns",
    "csv_lines",
    "harmless",
    "in_pieces",
    "sender_of",
    "whole",
    "write_alert_index",
    "write_atom",
    "write_calendar",
    "write_cap",
    "write_collection",
    "write_page",
    "write_today",
]
