"""The API in OpenAPI 3. The document is built when it is first requested, so that the server starts faster."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from threading import Lock
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from marshmallow import Schema

from open311 import __version__
from open311.later import imported_later
from open311.web.endpoints import Endpoint
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
    operation_of,
    path_parameters,
)
from open311.web.routes import CONVERTERS, paths_of
from open311.web.surfaces import SURFACES, Surface
from schemas.georeport import ErrorSchema
from schemas.parameters import AnswersParameter

with imported_later("yaml"):  # takes 1 MB of memory; only commands of flask-smorest use it
    from flask_smorest import Api, Blueprint

GUIDE = "/docs/extensions"
"""The page that explains our extensions."""
_ABOUT = (
    "Service requests of one or several cities, by the standard GeoReport v2. Calls with the tag `extensions` and"
    " parameters with the word (extension) are not in the standard. Later releases may add fields to answers."
)


class Documentation:
    """The description of a server's endpoints. It is made for the first call that needs it."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._lock = Lock()
        self._endpoints = tuple(endpoints)

    def document(self, address: str) -> dict[str, Any]:
        """The OpenAPI document of all documented endpoints.

        address  the address of this server, without a slash at its end; "" if it is not known
        """
        with self._lock:
            found = self._made
        about = {"description": "Our extensions, rule by rule", "url": address + GUIDE}
        info = found["info"] | {"description": _ABOUT}
        return found | {"info": info, "servers": [{"url": address or "/"}], "externalDocs": about}

    @cached_property
    def _made(self) -> dict[str, Any]:
        """The part of the document that does not depend on the server's address.

        flask-smorest describes a Flask app. The app here is made only for the description, and serves no calls.
        """
        app = Flask(__name__, static_folder=None)
        app.config |= {
            "API_TITLE": "Open311 GeoReport v2",
            "API_VERSION": __version__,
            "OPENAPI_VERSION": "3.0.3",
        }
        app.url_map.converters |= CONVERTERS
        api = _Api(app)
        for surface in SURFACES:
            if surface.is_documented:
                api.register_blueprint(_described(surface, self._endpoints))
        api.spec.tag({"name": "extensions", "description": "Calls that are not in the standard"})
        api.spec.tag({"name": "staff", "description": "The work of staff, with the token of an account"})
        found: dict[str, Any] = api.spec.to_dict()
        return found


def _described(surface: Surface, endpoints: Iterable[Endpoint]) -> Blueprint:
    """The documented paths of a surface."""
    blueprint = Blueprint(surface.name, __name__, description=surface.description)
    for endpoint in endpoints:
        for path in paths_of(endpoint) if endpoint.surface is surface else ():
            if path.is_described:
                view = blueprint.doc(**operation_of(endpoint, path.suffix))(endpoint.view)
                blueprint.add_url_rule(
                    path.rule, path.name, view, methods=[endpoint.method], parameters=path_parameters(path.rule)
                )
    return blueprint


class _Api(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's description of an app, with the standard's errors."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each call documents its own errors

    def __init__(self, app: Flask) -> None:
        super().__init__(app, spec_kwargs={"marshmallow_plugin": _Schemas(_schema_name)})
        self._describe_components()

    def _register_pagination_header(self) -> None:
        """Leave out flask-smorest's own schema of pages, because no call here uses it."""

    def _describe_components(self) -> None:
        """Name the components before the blueprints refer to them."""
        components = self.spec.components
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
    """Converts schemas to OpenAPI. New fields are allowed, and `attribute[CODE]` are additional fields."""

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
    """The name of a schema in `components`: the name of its class without `Schema` or `Arguments`."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema").removesuffix("Arguments")
