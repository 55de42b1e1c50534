"""Answers of the staff API: JSON that no cache keeps."""

from __future__ import annotations

from typing import Any

from open311.operations.desk.rendering import json_of
from open311.web.calls import Answer
from schemas.texts import Message


def staff_answer(
    body: dict[str, Any] | bytes,
    *,
    tag: str = "",
    validator: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    warnings: tuple[Message, ...] = (),
) -> Answer:
    """A body for staff, plain or rendered.

    tag        the version of a request, a notice or an item, for the ETag; callers send it back in If-Match
    validator  a text that changes exactly when the body changes; "" to use a digest of the body
    warnings   sentences for the header Warning
    """
    rendered = body if isinstance(body, bytes) else json_of(body)
    return Answer(
        body=rendered,
        cache_control="no-store",
        tag=tag,
        validator=validator,
        headers=headers,
        warnings=warnings,
    )
