"""Where the files of photos are kept: a folder, or a bucket of an S3 service. No file has a public address there.

A key looks like `boston/ab/HASH/small.jpg`. Whatever stops a store from doing its work becomes StoreUnavailable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from open311.errors import Misconfigured, NotFound, Unavailable
from open311.observe import logger
from open311.settings import Settings
from schemas.texts import tell

log = logger(__name__)

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_KEY = re.compile(rf"{_NAME}(/{_NAME}){{0,7}}")
MARKER = "_store"
"""The key of the file by which a database recognises its store."""
_CHECK = "_check"
"""The key that a check uses. In a folder, a check writes and deletes this file; in S3, it only lists the file."""
_OURS = frozenset({MARKER, _CHECK})
"""Keys that are never listed. No key of a city begins with one of them, because `_` in a city's id is encoded."""
_MISSING_IN_S3 = frozenset({"NoSuchKey", "404"})


class StoreUnavailable(Unavailable):
    """The media store cannot do its work now. The log has the cause."""


class StoreFull(StoreUnavailable):
    """The media store has no room for another photo."""


class WrongStore(StoreUnavailable):
    """The media store is not the one in which the photos of this database are."""


class FileMissing(StoreUnavailable):
    """A photo has a row in the database, but its file is not in the store."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in a store. `modified_at` is in UTC, by the clock of the store."""

    key: str
    size: int
    modified_at: datetime


class MediaStore(Protocol):
    """What the server needs of a store. Every method can raise StoreUnavailable.

    A key that is not plain (letters, digits, `-`, `_`, `.`, in at most eight names) raises ValueError, because only
    our own code makes keys.
    """

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store or replace a file, so that it survives a crash. Others see the old or the new one, never a part."""

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` to before `end`, or to the last one. Raises NotFound."""

    def delete(self, key: str) -> None:
        """Delete a file. A file that is not there is no error."""

    def keys(self, prefix: str) -> Iterator[Stored]:
        """All files whose keys begin with `prefix`, in any order, except the two files that belong to the store.

        Among them are files that a killed process has not finished. No row knows their keys, so a sweep of
        unknown and old keys deletes them too.
        """

    def check(self) -> None:
        """Find out within a few seconds whether the store works, without leaving anything in it.

        Raises StoreFull if it works but has no room for another photo. A bucket has no such limit.
        """


def open_store(settings: Settings) -> MediaStore:
    """The store that the operator has chosen. Nothing is read or written yet.

    Raises StoreUnavailable if boto3 cannot be set up, and Misconfigured if it is not installed.
    """
    bucket = settings.media_bucket
    if not bucket:
        return FolderStore(settings.media_path, room_bytes=settings.max_photo_bytes)
    try:
        return S3Store(*bucket, endpoint=settings.media_endpoint)
    except ImportError:
        raise Misconfigured("OPEN311_MEDIA: s3:// needs the extra `s3`; install open311-server[s3].") from None


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a media store")
    return key


def _no_file() -> NotFound:
    return NotFound(tell("There is no such photo."))


def unavailable(cause: str, kind: type[StoreUnavailable] = StoreUnavailable) -> StoreUnavailable:
    """The error for a store that cannot do its work. The cause is logged, and the caller does not see it."""
    log.error("media_store_failed", cause=cause)
    return kind(tell("Photos cannot be stored or read now; try again in a moment."))


class FolderStore:
    """Files in a folder that all processes of the server share. Only the server's user can read them.

    room_bytes  the free space below which the folder counts as full
    """

    def __init__(self, root: Path, *, room_bytes: int = 0) -> None:
        self._root, self._room_bytes = root, room_bytes

    def put(self, key: str, data: bytes, media_type: str) -> None:  # noqa: ARG002  # a folder keeps no types
        """See MediaStore. The file gets its name only after its bytes are on the disk."""
        path = self._path(key)
        draft = path.with_name(f"{path.name}.part-{token_hex(8)}")
        with self._failing():
            self._make_folder(path.parent)
            try:
                _write(draft, data)
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See MediaStore."""
        with self._failing():
            try:
                file = self._path(key).open("rb")
            except FileNotFoundError:
                raise _no_file() from None
            with file:
                file.seek(start)
                return file.read() if end is None else file.read(max(end - start, 0))

    def delete(self, key: str) -> None:
        """See MediaStore. The folder stays, because another process may be about to write into it."""
        path = self._path(key)
        with self._failing():
            if path.exists():
                path.unlink(missing_ok=True)
                _sync_folder(path.parent)

    def keys(self, prefix: str) -> Iterator[Stored]:
        """See MediaStore."""
        with self._failing():
            yield from self._below(self._root, prefix)

    def check(self) -> None:
        """See MediaStore. A file is written, so that a full disk and a folder without rights are noticed."""
        self.put(_CHECK, b"check", "text/plain")
        self.delete(_CHECK)
        with self._failing():
            disk = os.statvfs(self._root)
        if disk.f_bavail * disk.f_frsize < self._room_bytes:
            raise unavailable("the disk has no room for another photo", StoreFull)

    def _below(self, folder: Path, prefix: str) -> Iterator[Stored]:
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                key = str(Path(entry.path).relative_to(self._root))
                if entry.is_dir(follow_symlinks=False):
                    if f"{key}/".startswith(prefix) or prefix.startswith(f"{key}/"):
                        yield from self._below(Path(entry.path), prefix)
                elif key.startswith(prefix) and _KEY.fullmatch(key) and key not in _OURS:
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        facts = entry.stat(follow_symlinks=False)
                        yield Stored(key, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))

    def _path(self, key: str) -> Path:
        return self._root / _checked(key)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder below the root, and each folder above it, so that they survive a crash."""
        if folder.is_dir():
            return
        if folder != folder.parent:
            self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unavailable(f"{type(error).__name__}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a crash of the machine."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class S3Store:
    """Objects below a prefix of a bucket. boto3 finds the credentials, in the variables AWS_… or from the machine.

    Raises ImportError without the extra `s3`, and StoreUnavailable for faulty variables.
    """

    def __init__(self, bucket: str, prefix: str, *, endpoint: str = "") -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._refusal, self._errors = ClientError, (BotoCoreError, ClientError)
        config = Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path" if endpoint else "auto"},
            # Services other than Amazon's may not know the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            proxies={},  # the usual variables of proxies have no effect, as for all outgoing calls
        )
        # A load balancer waits for the check, so the check must give up soon.
        hasty = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
        try:
            session = boto3.session.Session()
            region = session.region_name or "us-east-1"
            self._client, self._checker = (
                session.client("s3", endpoint_url=endpoint or None, region_name=region, config=each)
                for each in (config, config.merge(hasty))
            )
        except (BotoCoreError, ValueError) as error:  # such as a profile that does not exist
            raise unavailable(f"S3: {type(error).__name__}") from None

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """See MediaStore."""
        with self._failing():
            self._client.put_object(**self._object(key), Body=data, ContentType=media_type)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See MediaStore."""
        if end is not None and end <= start:
            return b""
        span = {} if (start, end) == (0, None) else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        with self._failing():
            try:
                data: bytes = self._client.get_object(**self._object(key), **span)["Body"].read()
            except self._refusal as error:
                if error.response["Error"]["Code"] != "InvalidRange":
                    raise
                return b""  # the file ends before `start`
            return data

    def delete(self, key: str) -> None:
        """See MediaStore."""
        with self._failing():
            self._client.delete_object(**self._object(key))

    def keys(self, prefix: str) -> Iterator[Stored]:
        """See MediaStore."""
        with self._failing():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for each in page.get("Contents", ()):
                    key = each["Key"].removeprefix(self._prefix)
                    if key not in _OURS:
                        yield Stored(key, each["Size"], each["LastModified"].astimezone(UTC))

    def check(self) -> None:
        """See MediaStore. Only reads, because services charge for each file that is written."""
        with self._failing():
            self._checker.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._prefix}{_CHECK}", MaxKeys=1)

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + _checked(key)}

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Translate the errors of boto3. The log gets the code of the service, such as AccessDenied."""
        try:
            yield
        except self._errors as error:
            is_answer = isinstance(error, self._refusal)
            code = str(error.response["Error"]["Code"]) if is_answer else type(error).__name__
            if code in _MISSING_IN_S3:
                raise _no_file() from None
            raise unavailable(f"S3: {code}") from None
