"""What a fake server has taken, in order, in memory or in a file. The file is the truth after `kill -9`."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]
"""One thing that happened: plain data, with `kind`."""


class Journal:
    """A list of entries that only grows.

    With a file, each entry is one line of JSON, and is written before the call is answered. So the file has every
    entry whose call was answered, even after `kill -9`. An incomplete last line belongs to a call without an
    answer; the line is removed.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._lock = threading.Lock()
        self._file = -1
        if file is not None:
            self.entries = read(file)
            self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.ftruncate(self._file, _whole(file))

    def add(self, kind: str, **facts: Any) -> Entry:
        """Write one more entry; returns it."""
        entry: Entry = json.loads(json.dumps({"kind": kind, **facts}))
        with self._lock:
            if self._file >= 0:
                line = json.dumps(entry).encode() + b"\n"
                while line:
                    line = line[os.write(self._file, line) :]
            self.entries.append(entry)
        return entry

    def of(self, kind: str) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in list(self.entries) if entry["kind"] == kind]

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read(file: Path) -> list[Entry]:
    """The entries of a journal's file, also while a process writes it; none if there is no file."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


def _whole(file: Path) -> int:
    """The size of the file's whole lines."""
    return file.read_bytes().rfind(b"\n") + 1
