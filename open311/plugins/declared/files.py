"""A file of a city's folder, as TOML or GeoJSON.

What is wrong with a file is put down as a sentence, and the next file is read: an author sees all faults at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import tomli
from marshmallow import ValidationError

from open311.plugins.declared.faults import explain
from open311.plugins.declared.keys import Table

MAX_MIB = 32
"""Far more than a city's catalogue or outline; a file put here by mistake must not fill the memory."""


class UnreadableError(Exception):
    """Nothing of a file can be used; the text says why."""


@dataclass(frozen=True)
class File:
    """One file.

    where   what a message calls it: demoville/languages/es.toml
    faults  of all the city's files so far, a sentence each
    """

    path: Traversable
    where: str
    faults: list[str]

    def report(self, sentence: str) -> None:
        """Put down a fault of the file."""
        self.faults.append(f"{self.where}: {sentence}")

    def toml(self, table: Table) -> Any:
        """What its TOML stands for; None after a fault."""
        try:
            data = self._parsed(tomli.loads, "TOML")
            return table.read(data)
        except UnreadableError as error:
            self.report(str(error))
        except ValidationError as error:
            self.faults.extend(explain(table, error.messages, data, self.where))
        return None

    def geojson(self) -> dict[str, Any] | None:
        """Its GeoJSON object, whatever is in it; None after a fault."""
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
        """What it holds, without a byte order mark."""
        data = self._bytes()
        if len(data) > MAX_MIB * 2**20:
            raise UnreadableError(f"is larger than {MAX_MIB} MiB; is it the right file?")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise UnreadableError(
                f"is not UTF-8: line {line} holds the byte 0x{data[error.start]:02X}; save it as UTF-8."
            ) from error

    def _bytes(self) -> bytes:
        """What it holds, as far as one byte beyond the limit."""
        try:
            with self.path.open("rb") as file:
                return bytes(file.read(MAX_MIB * 2**20 + 1))
        except FileNotFoundError:
            raise UnreadableError("the file is missing.") from None
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}.") from error
