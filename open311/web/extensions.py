"""How calls of our own, beside the standard's, stand in OpenAPI: marked, each body with its media type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Response

from open311.web.blueprint import ERROR_WORDS
from schemas import Arguments

View = Callable[..., Response]
FILE = {"type": "string", "format": "binary"}
PROBLEM_TYPE = "application/problem+json"
PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def documented(
    view: View,
    *,
    takes: type[Arguments] | None,
    answers: Mapping[int, tuple[str, Any]],
    errors: Iterable[int] = (),
    error_type: str = "application/json",
    error_body: Any = None,
) -> View:
    """The view, with what OpenAPI says of it.

    answers  status -> media type and schema of its body; "" for no body
    """
    arguments: dict[str, Any] = {}
    if takes is not None:
        arguments = {"parameters": [{"in": "query", "required": True, "schema": takes()}]}
    responses: dict[int, Any] = {status: [_body(kind, schema)] for status, (kind, schema) in answers.items()}
    for status in errors:
        responses[status] = [_body(error_type, error_body, ERROR_WORDS[status])]
    view._apidoc = {  # type: ignore[attr-defined]
        "arguments": arguments,
        "response": {"responses": responses},
        "manual_doc": {"x-extension": True},
    }
    return view


def _body(media_type: str, schema: Any, description: str = "Success") -> dict[str, Any]:
    return {"schema": schema, "description": description, "content_type": media_type}
