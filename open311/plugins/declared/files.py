"""Reading the files of a city's folder, as TOML or GeoJSON.

After a fault in one file, the other files are still read, so that an author sees the faults of all files together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import tomli
from marshmallow import ValidationError

from open311.plugins.declared.faults import explain, explain_with_lines
from open311.plugins.declared.keys import Table

MAX_MIB = 32
"""The size limit. Every catalogue or boundary is much smaller. A larger file is not read into memory."""


class UnreadableError(Exception):
    """A file cannot be read. The error's text says why."""


@dataclass(frozen=True)
class File:
    """One file of a city.

    where   the file's name in messages, such as demoville/languages/es.toml
    faults  a sentence for each fault, shared by all files of the city
    most    the size limit in MiB
    """

    path: Traversable
    where: str
    faults: list[str]
    most: int = MAX_MIB

    def report(self, sentence: str) -> None:
        """Add a fault of this file to `faults`."""
        self.faults.append(f"{self.where}: {sentence}")

    def toml(self, table: Table) -> Any:
        """The value that `table` makes of the file; None after a fault."""
        try:
            data = self._parsed(tomli.loads, "TOML")
            return table.read(data)
        except UnreadableError as error:
            self.report(str(error))
        except ValidationError as error:
            self.faults.extend(explain(table, error.messages, data, self.where))
        return None

    def toml_with_lines(self, table: Table, text: str | None = None) -> Any:
        """Like `toml`, but the messages name lines. `text` is the TOML part of the file; by default, the whole."""
        found = self.text() if text is None else text
        if found is None:
            return None
        try:
            data = tomli.loads(found)
        except (ValueError, RecursionError) as error:
            self.report(f"is not TOML: {error}." if isinstance(error, ValueError) else "is nested too deeply.")
            return None
        try:
            return table.read(data)
        except ValidationError as error:
            self.faults.extend(explain_with_lines(table, error.messages, data, self.where, found))
        return None

    def text(self) -> str | None:
        """The file's text; None after a fault."""
        try:
            return self._text()
        except UnreadableError as error:
            self.report(str(error))
            return None

    def geojson(self) -> dict[str, Any] | None:
        """The file's JSON object, unchecked; None after a fault."""
        try:
            document = self._parsed(json.loads, "GeoJSON")
        except UnreadableError as error:
            self.report(str(error))
            return None
        if not isinstance(document, dict):
            self.report("is not GeoJSON: it must be a Feature or a FeatureCollection.")
            return None
        return document

    def _parsed(self, parse: Callable[[str], Any], language: str) -> Any:
        text = self._text()
        try:
            return parse(text)
        except RecursionError:
            raise UnreadableError("is nested too deeply.") from None
        except ValueError as error:
            raise UnreadableError(f"is not {language}: {error}.") from error

    def _text(self) -> str:
        """The file's text without a byte order mark."""
        data = self._bytes()
        if len(data) > self.most * 2**20:
            raise UnreadableError(f"is larger than {self.most} MiB; is it the right file?")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise UnreadableError(
                f"is not UTF-8: line {line} holds the byte 0x{data[error.start]:02X}; save it as UTF-8."
            ) from error

    def _bytes(self) -> bytes:
        """The file's content, up to one byte more than the limit."""
        try:
            with self.path.open("rb") as file:
                return bytes(file.read(self.most * 2**20 + 1))
        except FileNotFoundError:
            raise UnreadableError("the file is missing.") from None
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}.") from error
