"""The API in OpenAPI 3. It is built at the first request for it, so that the server starts faster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

from flask import Flask
from flask_smorest import Api, Blueprint
from werkzeug.exceptions import HTTPException

from open311.web.endpoints import City, Endpoint, Media
from open311.web.errors import flask_http_error
from open311.web.surfaces import ErrorShape
from schemas.arguments import NoArguments
from schemas.base import Body
from schemas.georeport import ErrorSchema

ERROR_WORDS = {
    400: "A parameter is missing or wrong; the text names it.",
    403: "The api_key is missing or wrong.",
    404: "Something that the call names does not exist; the text says what.",
    410: "A value that this server once issued, such as a cursor, is no longer valid; the text says which.",
    413: "The body is too large.",
    415: "The body has a media type that this server does not read.",
    429: "Too many calls; see Retry-After.",
    503: "The database cannot be reached at present; see Retry-After.",
}
FORM_TYPE = "application/x-www-form-urlencoded"
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


class GeoReportApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's documentation, with the standard's errors."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each call documents its own errors

    def __init__(self, app: Flask) -> None:
        self._lock = Lock()
        self._missing: list[Callable[[], None]] = []
        super().__init__(app)

    def handle_http_exception(self, error: HTTPException) -> object:
        """Answer in this server's error format instead of flask-smorest's."""
        return flask_http_error(error)

    def describe_later(self, describe: Callable[[], None]) -> None:
        """Call `describe` when the document is built."""
        self._missing.append(describe)

    def document(self) -> dict[str, Any]:
        """The OpenAPI document of all registered endpoints."""
        with self._lock:
            while self._missing:
                self._missing.pop(0)()
            found: dict[str, Any] = self.spec.to_dict()
        return found


class DescribedBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A blueprint whose documentation is made when somebody asks for the document."""

    def register_views_in_doc(self, api: GeoReportApi, *known: Any, **more: Any) -> None:
        """Postpone the description until the document is built."""
        api.describe_later(partial(super().register_views_in_doc, api, *known, **more))


def operation_of(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as an OpenAPI operation; its summary is the view's docstring."""
    operation: dict[str, Any] = {"responses": _responses(endpoint)}
    if endpoint.method == "POST":
        operation["requestBody"] = {"required": True, "content": {FORM_TYPE: {"schema": _documented(endpoint)}}}
    elif endpoint.reads is not NoArguments and endpoint.city is not City.IN_PATH:
        operation["parameters"] = [{"in": "query", "schema": _documented(endpoint)}]
    if endpoint.is_extension:
        operation["x-extension"] = True
        operation["tags"] = ["extensions"]
    return operation


def _documented(endpoint: Endpoint) -> Any:
    """The parameters without `attribute[CODE]`: OpenAPI cannot describe a pattern of names."""
    schema = endpoint.reads()
    return endpoint.reads(exclude=("attributes",)) if "attributes" in schema.fields else schema


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    success = _success(endpoint.answers)
    found = {"200": success}
    if 206 in endpoint.errors:
        found["206"] = success
    for status in sorted(_error_statuses(endpoint)):
        found[str(status)] = {"description": ERROR_WORDS[status], "content": _error_content(endpoint)}
    return found


def _success(answers: type[Body] | Media | None) -> dict[str, Any]:
    if answers is None:
        return {"description": "Success"}
    if isinstance(answers, Media):
        return {"description": "Success", "content": {answers.media_type: {"schema": answers.schema}}}
    return {"description": "Success", "content": _both_formats(answers)}


def _error_statuses(endpoint: Endpoint) -> set[int]:
    """The statuses in `errors`, and those that follow from the endpoint's other declarations."""
    found = set(endpoint.errors) - {206} | {503}
    if endpoint.reads is not NoArguments:
        found.add(400)
    if endpoint.city is not City.NONE:
        found.add(404)
    if endpoint.access.identify is not None:
        found.add(403)
    if endpoint.method == "POST":
        found |= {413, 415, 429}
    return found


def _error_content(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.surface.errors is ErrorShape.PROBLEM:
        return {"application/problem+json": {"schema": _PROBLEM}}
    both = _both_formats(ErrorSchema)
    if endpoint.output is None:
        return both
    media_type = endpoint.output.error_format.media_type.partition(";")[0]
    return {media_type: both[media_type]}


def _both_formats(body: type[Body]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{body.__name__.removesuffix('Schema')}"}
    xml: dict[str, Any] = {"allOf": [reference], "xml": {"name": body.xml_root}}
    if body.xml_item:
        xml = {"type": "array", "xml": {"name": body.xml_root, "wrapped": True}, "items": reference}
    return {"text/xml": {"schema": xml}, "application/json": {"schema": body(many=bool(body.xml_item))}}
