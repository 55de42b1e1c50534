"""The kind `file`: each case and each change is a file in a folder, from where another program takes it.

A file has its name only when it is complete: it is written under a hidden name and renamed. Its name contains the
key of the delivery, so a second try replaces the file of the first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from marshmallow import ValidationError, validates_schema

from open311.domain.case import Case, CaseUpdate
from open311.domain.results import Accepted, Failed, Result, Retry
from open311.federation.backends.drops import Drops
from open311.formats.markup import element, text_of
from open311.formats.writing.csv import csv_lines, harmless
from open311.plugins.backends import Backend, BackendConfig, LookUpFailed, Page
from open311.plugins.context import Context
from open311.plugins.declared.backends import BackendTable
from open311.plugins.declared.backends import Path as PathKey
from open311.plugins.declared.keys import Choice
from open311.plugins.documents import CASE_FIELDS, UPDATE_FIELDS, case_document, update_document
from schemas.values import clean_text

_KEY = re.compile(r"[A-Za-z0-9-]{1,100}")
_MODE = 0o640
_ITEMS = {"attributes": "attribute", "media_url": "media_url"}


@dataclass(frozen=True, kw_only=True)
class FileConfig(BackendConfig):
    """The configuration of this kind.

    folder         where the files of cases and changes go
    format         the format of the files of cases and changes
    updates        the folder with the files of updates; "" if there are none
    when_read      what happens to a file of updates that has been read
    """

    folder: str
    format: Literal["csv", "xml"] = "csv"
    updates: str = ""
    when_read: Literal["leave", "move"] = "leave"


class FileTable(BackendTable):
    """The keys of this kind."""

    makes = FileConfig
    header = '[[backends]] with kind = "file"'

    folder = PathKey("The folder that gets a file for each case and each change")
    format = Choice(("csv", "xml"), "The format of these files", default="csv")
    updates = PathKey("The folder with CSV files of updates, which are read", default="", unset="none")
    when_read = Choice(
        ("leave", "move"),
        "What happens to a file of updates that has been read: `leave` leaves it and reads what is added later;"
        " `move` moves it to `done/` in the same folder",
        default="leave",
    )

    def _load_fast(self, table: dict[str, Any]) -> dict[str, Any]:
        raise KeyError(table.get("folder", ""))  # the caller then uses `load`, because only `load` runs `_check`

    @validates_schema
    def _check(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("updates") and os.path.normpath(data["updates"]) == os.path.normpath(data["folder"]):
            fault = "must be another folder than `folder`, because the server would read its own files."
            raise ValidationError({"updates": [fault]})


class FileBackend(Backend):
    """Writes files, and reads files of updates."""

    table = FileTable
    honours_keys = True
    takes_updates = True
    repeats_updates = True
    tried = "the folders"

    def __init__(self, config: FileConfig, context: Context) -> None:
        super().__init__(config, context)
        self.gives_updates = bool(config.updates)
        self._folder = Path(config.folder)
        self._drops = Drops(Path(config.updates), context, moves=config.when_read == "move")

    def send(self, case: Case, key: str) -> Result:
        """Write the case."""
        document = {"key": key, **case_document(case)}
        return self._write("case", case.requested_at, key, ("key", *CASE_FIELDS), document)

    def send_update(self, update: CaseUpdate, key: str) -> Result:
        """Write the change."""
        return self._write("update", update.at, key, UPDATE_FIELDS, update_document(update, key))

    def updates(self, cursor: str) -> Page:
        """The updates in the files of the other program."""
        if not self.gives_updates:
            return Page((), cursor)
        try:
            return self._drops.page(cursor)
        except OSError as error:
            raise LookUpFailed(Retry(cause=f"the folder of updates cannot be read: {error.strerror}")) from None

    def check(self) -> Result:
        """Whether files can be written and read."""
        if not os.access(self._folder, os.W_OK | os.X_OK):
            return Retry(cause="the folder is missing, or files cannot be written there")
        if self.config.updates and not os.access(self.config.updates, os.R_OK | os.X_OK):
            return Retry(cause="the folder of updates is missing, or cannot be read")
        return Accepted()

    def _write(self, kind: str, at: datetime, key: str, names: Iterable[str], document: dict[str, Any]) -> Result:
        if not _KEY.fullmatch(key):
            return Failed("the key cannot be a part of a file's name")
        write = _xml if self.config.format == "xml" else _csv
        name = f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}-{kind}-{key}.{self.config.format}"
        try:
            _put(self._folder, name, write(kind, names, document))
        except OSError as error:
            return Retry(cause=f"the file cannot be written: {error.strerror or type(error).__name__}")
        return Accepted()


def _put(folder: Path, name: str, content: bytes) -> None:
    """Write a file that is complete as soon as it has its name. Raises OSError."""
    hidden = folder / f".{name}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    line = os.open(hidden, flags, _MODE)
    try:
        with os.fdopen(line, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(folder / name)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make the new name durable."""
    line = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(line)
    finally:
        os.close(line)


def _csv(_: str, names: Iterable[str], document: Mapping[str, Any]) -> bytes:
    """A header and one row. A list of texts is separated by blanks; any other list is JSON."""
    columns = tuple(names)
    values = (document.get(name) for name in columns)
    return csv_lines([columns, [harmless(_clean(_joined(value))) for value in values]])


def _joined(value: Any) -> Any:
    is_texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return " ".join(value) if is_texts else value


def _xml(kind: str, names: Iterable[str], document: Mapping[str, Any]) -> bytes:
    """The lists of GeoReport with one record, and the members that GeoReport does not have."""
    outer, inner = ("service_requests", "request") if kind == "case" else ("request_updates", "request_update")
    members = "".join(_member(name, document[name]) for name in names if name in document)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{element(outer, element(inner, members))}\n'.encode()


def _member(name: str, value: Any) -> str:
    if isinstance(value, list):
        return element(name, "".join(_member(_ITEMS[name], one) for one in value))
    if isinstance(value, Mapping):
        return element(name, "".join(_member(part, one) for part, one in value.items()))
    return element(name, text_of(_clean(value)))


def _clean(value: Any) -> Any:
    """A text without characters that XML and UTF-8 cannot carry; any other value as it is."""
    return clean_text(value.encode("utf-8", "replace").decode()) if isinstance(value, str) else value
