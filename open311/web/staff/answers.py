"""Answers of the staff API: JSON that no cache keeps."""

from __future__ import annotations

from typing import Any

from open311.operations.desk.rendering import json_of
from open311.web.calls import Answer


def staff_answer(body: dict[str, Any], *, tag: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A body for staff. `tag`: the version of a request, which callers send back in If-Match."""
    return Answer(body=json_of(body), cache_control="no-store", tag=tag, headers=headers)
