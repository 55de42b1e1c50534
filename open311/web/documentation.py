"""The API in OpenAPI 3. The document is built when it is first requested, so that the server starts faster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from flask_smorest import Api, Blueprint
from marshmallow import Schema
from werkzeug.exceptions import HTTPException

from open311.web.errors import flask_http_error
from open311.web.openapi import (
    HEADERS,
    PROBLEM,
    READING_HEADERS,
    SECURITY_SCHEMES,
    STAFF_HEADERS,
    STAFF_SCHEME,
    WRITING_HEADERS,
    answers_in,
    error_responses,
)
from schemas.georeport import ErrorSchema
from schemas.parameters import AnswersParameter

GUIDE = "/docs/extensions"
"""The page that explains our extensions."""
_ABOUT = (
    "Service requests of one or several cities, by the standard GeoReport v2. Calls with the tag `extensions` and"
    " parameters with the word (extension) are not in the standard. Later releases may add fields to answers."
)


class GeoReportApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's documentation, with the standard's errors."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each call documents its own errors

    def __init__(self, app: Flask) -> None:
        self._lock = Lock()
        self._missing: list[Callable[[], None]] = [self._describe_components]
        super().__init__(app, spec_kwargs={"marshmallow_plugin": _Schemas(_schema_name)})

    def handle_http_exception(self, error: HTTPException) -> object:
        """Answer in this server's error format instead of flask-smorest's."""
        return flask_http_error(error)

    def describe_later(self, describe: Callable[[], None]) -> None:
        """Call `describe` when the document is built."""
        self._missing.append(describe)

    def document(self, address: str) -> dict[str, Any]:
        """The OpenAPI document of all registered endpoints.

        address  the address of this server, without a slash at its end; "" if it is not known
        """
        with self._lock:
            while self._missing:
                self._missing.pop(0)()
            found: dict[str, Any] = self.spec.to_dict()
        about = {"description": "Our extensions, rule by rule", "url": address + GUIDE}
        info = found["info"] | {"description": _ABOUT}
        return found | {"info": info, "servers": [{"url": address or "/"}], "externalDocs": about}

    def _register_pagination_header(self) -> None:
        """Leave out flask-smorest's own schema of pages, which no call has."""

    def _describe_components(self) -> None:
        components = self.spec.components
        self.spec.tag({"name": "extensions", "description": "Calls that are not in the standard"})
        self.spec.tag({"name": "staff", "description": "The work of staff, with the token of an account"})
        components.schema("Problem", PROBLEM)
        for name, (kind, meaning) in HEADERS.items():
            components.header(name, {"description": meaning, "schema": {"type": kind}}, lazy=True)
        for name, meaning in (READING_HEADERS | WRITING_HEADERS).items():
            parameter = {"name": name, "description": meaning, "schema": {"type": "string"}}
            components.parameter(name, "header", parameter, lazy=True)
        for name, meaning in STAFF_HEADERS.items():
            parameter = {"name": name, "description": meaning, "schema": {"type": "string"}}
            components.parameter(f"Staff-{name}", "header", parameter, lazy=True)
        for name, scheme in STAFF_SCHEME.items():
            components.security_scheme(name, scheme)
        for name, scheme in SECURITY_SCHEMES.items():
            words = "One of these schemes is enough; the form's field api_key is as good."
            components.security_scheme(name, scheme | {"description": words})
        components.response("NotModified", {"description": "Your copy is the newest.", "headers": {"ETag": "ETag"}})
        for name, response in error_responses().items():
            components.response(name, response, lazy=True)


class _Converter(OpenAPIConverter):
    """Schemas in the words of OpenAPI: open for new fields, and with attribute[CODE] as additional fields."""

    def schema2jsonschema(self, schema: Schema) -> dict[str, Any]:
        """The JSON Schema of a marshmallow schema."""
        found: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]  # apispec has no types
        found.pop("additionalProperties", None)
        for name, field in schema.fields.items():
            if isinstance(field, AnswersParameter):
                del found["properties"][name]
                found["additionalProperties"] = answers_in(schema)
        return found


class _Schemas(MarshmallowPlugin):
    Converter = _Converter


def _schema_name(schema: Any) -> str:
    """The name of a schema in `components`: that of its class without its ending."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema").removesuffix("Arguments")


class DescribedBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A blueprint whose documentation is made when somebody asks for the document."""

    def register_views_in_doc(self, api: GeoReportApi, *known: Any, **more: Any) -> None:
        """Postpone the description until the document is built."""
        api.describe_later(partial(super().register_views_in_doc, api, *known, **more))
