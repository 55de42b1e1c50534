"""Daily dumps. A dump has all public requests of a city, in files that any web server can serve.

The files are `<data_dir>/dumps/<jurisdiction>/requests-YYYY-MM-DD.{csv.gz,ndjson.gz,parquet}`, each with a file for
its checksum, and one manifest per day. All files of a day come from one snapshot of the database. The manifest is
written last: a day without a manifest is incomplete and is not listed.

Dumps must not show what was hidden, withdrawn, corrected or erased after they were made. So after such a change, a
new dump is made. All older dumps are deleted, because nobody can make the dump of a past day again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

import orjson
from isal import igzip

from open311.domain.search import RequestSearch
from open311.formats.writing import (
    CsvWriter,
    GeoParquetWriter,
    NdjsonWriter,
    Writer,
    can_write_geoparquet,
    csv_columns,
)
from open311.operations.platform import Platform
from open311.operations.reading.export_requests import EXPORT_ORDER, open_export
from open311.plugins import Jurisdiction
from schemas.arguments import EXTRA_FIELDS
from schemas.values import format_instant

GZIP = "application/gzip"
PARQUET = "application/vnd.apache.parquet"
_gzip: Any = igzip.GzipFile  # igzip has no types
PART_SUFFIX, CHECKSUM_SUFFIX, MANIFEST_SUFFIX = ".part", ".sha256", ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFile:
    """One file of a day.

    format  csv, ndjson or geoparquet
    bytes   the size of the file
    sha256  the checksum of the file, hexadecimal
    """

    name: str
    format: str
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """The dump of one day.

    date     YYYY-MM-DD in UTC
    made_at  the time of the snapshot
    """

    date: str
    made_at: str
    rows: int
    files: tuple[DumpFile, ...]


def dumps_folder(platform: Platform, jurisdiction_id: str) -> Path:
    """The folder of a city's dumps. The name is safe for any jurisdiction_id."""
    name = quote(jurisdiction_id, safe="")
    return platform.settings.data_path / "dumps" / (name if name.strip(".") else name.replace(".", "%2E"))


def find_dumps(platform: Platform, jurisdiction_id: str) -> list[Dump]:
    """The finished dumps of a city, the newest first."""
    folder = dumps_folder(platform, jurisdiction_id)
    dumps = []
    for path in sorted(folder.glob(f"requests-*{MANIFEST_SUFFIX}"), reverse=True):
        with suppress(FileNotFoundError):  # another process has deleted the file meanwhile
            plain = orjson.loads(path.read_bytes())
            files = tuple(DumpFile(**file) for file in plain.pop("files"))
            dumps.append(Dump(**plain, files=files))
    return dumps


def make_dump(platform: Platform, jurisdiction: Jurisdiction, now: datetime, *, again: bool = False) -> Dump | None:
    """Make today's dump and delete expired dumps.

    Returns None if today's dump exists already, or if another process makes a dump of the city now.

    again  make the dump even if it exists
    Raises OSError if the folder cannot be written.
    """
    folder = dumps_folder(platform, jurisdiction.id)
    folder.mkdir(parents=True, exist_ok=True)
    with _folder_lock(folder) as has_lock:
        today = format_instant(now)[:10]
        if not has_lock or (not again and (folder / f"requests-{today}{MANIFEST_SUFFIX}").exists()):
            return None
        for left_over in folder.glob(f"*{PART_SUFFIX}"):
            left_over.unlink()
        dump = _write(platform, jurisdiction, folder, now)
        _prune(folder, keep=max(1, platform.settings.dump_days))
        return dump


class DumpRunning(Exception):
    """Another process makes a dump of the city now, perhaps from an older snapshot."""


def renew_dumps(platform: Platform, jurisdiction: Jurisdiction, now: datetime) -> Dump | None:
    """Make a dump with the present data, and delete all others. Returns None if the city has no dump.

    Raises OSError if the dump cannot be written; the others are deleted all the same. Raises DumpRunning if another
    process makes a dump of the city now.
    """
    folder = dumps_folder(platform, jurisdiction.id)
    if not folder.exists():
        return None
    with _folder_lock(folder) as has_lock:
        if not has_lock:
            raise DumpRunning
        if not find_dumps(platform, jurisdiction.id):
            return None
        try:
            dump = _write(platform, jurisdiction, folder, now)
        except OSError:
            _prune(folder, keep=0)
            raise
        _prune(folder, keep=1)
        return dump


def terms(platform: Platform, jurisdiction: Jurisdiction) -> tuple[str, str]:
    """The terms of use of a city's data: the licence's address, "" if none is set, and the attribution."""
    return platform.settings.licence, platform.settings.attribution or jurisdiction.name


def _writers(platform: Platform, jurisdiction: Jurisdiction) -> Iterator[tuple[str, str, str, Writer]]:
    """The ending of the name, the format, the media type and the writer of each file."""
    yield "csv.gz", "csv", GZIP, CsvWriter(csv_columns(EXTRA_FIELDS))
    yield "ndjson.gz", "ndjson", GZIP, NdjsonWriter()
    if can_write_geoparquet():
        licence, attribution = terms(platform, jurisdiction)
        facts = {"attribution": attribution} | ({"licence": licence} if licence else {})
        yield "parquet", "geoparquet", PARQUET, GeoParquetWriter(facts)


def _write(platform: Platform, jurisdiction: Jurisdiction, folder: Path, now: datetime) -> Dump:
    made_at = format_instant(now)
    stem = f"requests-{made_at[:10]}"
    with ExitStack() as stack:
        search = RequestSearch(jurisdiction_id=jurisdiction.id, sort=EXPORT_ORDER)
        export = stack.enter_context(open_export(platform, search))
        files = [
            stack.enter_context(_File(folder / f"{stem}.{ending}", format, media_type, writer))
            for ending, format, media_type, writer in _writers(platform, jurisdiction)
        ]
        for batch in export.batches:
            for file in files:
                file.more(batch)
        finished = tuple(file.finish() for file in files)
    dump = Dump(date=made_at[:10], made_at=made_at, rows=export.count, files=finished)
    _put(folder / f"{stem}{MANIFEST_SUFFIX}", orjson.dumps(asdict(dump)))
    return dump


class _File:
    """A file that is being written. It has a temporary name until it is complete."""

    def __init__(self, path: Path, format: str, media_type: str, writer: Writer) -> None:
        self._path, self._part = path, path.with_name(path.name + PART_SUFFIX)
        self._format, self._media_type, self._writer = format, media_type, writer
        self._raw: IO[bytes] = self._part.open("wb")
        # The gzip header has no name and no time, so that the same requests give the same bytes.
        self._out = self._raw if media_type != GZIP else cast("IO[bytes]", _gzip("", "wb", 2, self._raw, mtime=0))
        self._out.write(writer.begin())

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()
        self._part.unlink(missing_ok=True)

    def more(self, batch: list[bytes]) -> None:
        """Write the next items."""
        self._out.write(self._writer.more(batch))

    def finish(self) -> DumpFile:
        """Write what is still buffered, and the checksum; then give the file its final name."""
        self._out.write(self._writer.end())
        if self._out is not self._raw:
            self._out.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        with self._part.open("rb") as whole:
            checksum = hashlib.file_digest(whole, "sha256").hexdigest()
        size = self._part.stat().st_size
        self._part.replace(self._path)
        _put(self._path.with_name(self._path.name + CHECKSUM_SUFFIX), f"{checksum}  {self._path.name}\n".encode())
        return DumpFile(
            name=self._path.name, format=self._format, media_type=self._media_type, bytes=size, sha256=checksum
        )


def _put(path: Path, content: bytes) -> None:
    """Write a small file atomically."""
    part = path.with_name(path.name + PART_SUFFIX)
    part.write_bytes(content)
    part.replace(path)


def _prune(folder: Path, *, keep: int) -> None:
    """Delete all but the newest `keep` days. The manifest is deleted first, so that no listed file is missing."""
    manifests = sorted(folder.glob(f"requests-*{MANIFEST_SUFFIX}"), reverse=True)
    for manifest in manifests[keep:]:
        manifest.unlink()
    kept = {manifest.name.removesuffix(MANIFEST_SUFFIX) for manifest in manifests[:keep]}
    for path in folder.glob("requests-*"):
        if path.name.partition(".")[0] not in kept:
            path.unlink()


@contextmanager
def _folder_lock(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock, so that only one process makes a dump. Yields False if another process has it."""
    with (folder / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
