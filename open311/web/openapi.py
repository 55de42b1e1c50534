"""Describes endpoints in OpenAPI: operations, parameters, bodies, headers and security schemes."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from marshmallow import Schema

from open311.formats import JSON, XML, Format
from open311.web.bodies import FORM_TYPES
from open311.web.calls import PageFormat
from open311.web.endpoints import City, Endpoint, Media
from open311.web.surfaces import ErrorShape
from schemas.arguments import Arguments, NoArguments
from schemas.base import Body
from schemas.georeport import ErrorSchema

ERRORS = {
    400: ("BadRequest", "A parameter is missing or wrong; the text names it."),
    401: ("Unauthenticated", "The token of staff or the signature is missing, wrong, expired or revoked."),
    403: ("Forbidden", "The api_key is missing or wrong, or the account may not do this."),
    404: ("NotFound", "Something that the call names does not exist; the text says what."),
    408: ("TooSlow", "The body did not arrive in time; send the call again."),
    409: ("Conflict", "Somebody else changed the request, or its state does not allow this; the text says what."),
    410: ("Gone", "A value that this server issued, such as a cursor, is no longer valid; the text says which."),
    413: ("TooLarge", "The body is too large."),
    415: ("UnreadMediaType", "The body has a media type that this server does not read."),
    429: ("TooManyCalls", "Too many calls; see Retry-After."),
    503: ("Unavailable", "The server cannot answer at present, for example without its database; see Retry-After."),
}
"""The name and the meaning of each error status."""
HEADERS = {
    "Content-Disposition": ("string", "The file name under which a browser saves the photo."),
    "Content-Language": ("string", "The language of the texts."),
    "ETag": ("string", "Changes exactly when the body changes; send it in If-None-Match."),
    "Location": ("string", "The address of what was made."),
    "Link": ("string", "Addresses of other pages, and of the licence of the data (RFC 8288)."),
    "Retry-After": ("integer", "After how many seconds to try again."),
    "Warning": ("string", "What the server ignored or changed in this call, such as a misspelt parameter."),
    "X-Attribution": ("string", "The source that users of the data must name."),
    "X-Caught-Up": ("string", "true if no change follows, otherwise false."),
    "X-Cursor": ("string", "Where to continue: the value for `cursor` in the next call."),
    "X-Request-Id": ("string", "Id of the call in the server's log; tell it to the operator if a call fails."),
    "Referrer-Policy": ("string", "no-referrer, because the address is a secret."),
    "X-Jurisdiction-Id": ("string", "The city that has the request; only on a hub."),
    "X-Total-Count": ("integer", "The number of items on all pages, where the server has counted them."),
}
"""The type and the meaning of each response header that OpenAPI describes."""
PATH_VARIABLES = {
    "block": "The number of a block.",
    "item": "An item of the catalogue, such as service:en:potholes.",
    "secret": "The secret from the link, status_url.",
    "backend": "The name of the back end in the city's backends.toml.",
    "delivery": "The number of a delivery.",
    "jurisdiction_id": "The city.",
    "observation": "The id of an observation.",
    "id": "A service_request_id, a token, an internal number or an id in another system.",
    "name": "The name of a file: of a photo, or of a dump or its checksum as dumps.json lists them.",
    "notice": "The number of a notice.",
    "notice_id": "The number of a notice.",
    "photo": "The id of a photo.",
    "update": "The version of the entry `held_comment` in the history.",
    "service_code": "The code of a service; it may contain any character.",
    "service_request_id": "The id of a request.",
    "subscription": "The id of a subscription.",
    "token": "The token from the answer to a POST.",
    "topic": "What to list or to show: all, web, mobile, finder, a topic, or an id.",
    "view": "The name of a saved view.",
    "x": "The tile's column, from the west.",
    "y": "The tile's row, from the north.",
    "z": "The tile's zoom.",
}
"""The meaning of each variable in a path."""
READING_HEADERS = {
    "If-None-Match": "The ETag of your copy. If it is still the newest, the answer is 304 without a body."
}
WRITING_HEADERS = {
    "Idempotency-Key": "Your own id of this call. A call that repeats it within a day gets the first call's answer."
}
STAFF_HEADERS = {
    "If-Match": "The ETag of what you change, as you have read it. If it has changed since, the answer is 409.",
    "Idempotency-Key": "Your own id of this call. A call that repeats it within a day changes nothing more.",
}
"""The headers with which staff guard a change. The `conditions` of an endpoint name the headers that it reads."""
STAFF_SCHEME = {"staff_token": {"type": "http", "scheme": "bearer", "description": "The token of a staff account."}}
SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "api_key_header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "api_key_bearer": {"type": "http", "scheme": "bearer"},
    "api_key_query": {"type": "apiKey", "in": "query", "name": "api_key"},
}
"""Three places for the key. One place is enough. A fourth place is the field api_key of the form."""
WAITING = (429, 503)
"""The statuses that come with Retry-After."""
_ANSWERS = {
    "description": "Answers to the service's questions, each in a field of its own, such as `attribute[KIND]`.",
    "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "string"}}],
}
_ANSWERS_IN_PARTS = {
    "description": "Answers to the service's questions, each in a part of its own, such as `attribute[KIND]`."
    " If an answer has several values: `attribute[KIND][0]`, `attribute[KIND][1]`."
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Always about:blank."},
        "title": {"type": "string", "description": "The name of the status."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What is wrong and what to send instead."},
        "errors": {
            "type": "array",
            "description": "The faults that are in one field, each with the field's name.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def operation_of(endpoint: Endpoint, suffix: Format | None = None) -> dict[str, Any]:
    """An endpoint as an OpenAPI operation. flask-smorest adds summary and description from the view's docstring.

    suffix  the format of this path, if the endpoint has a path for each format
    """
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.name}_as_xml" if suffix is XML else endpoint.name,
        "responses": _responses(endpoint, suffix),
        "parameters": _parameters(endpoint),
    }
    if endpoint.body is not None:
        is_required = any(field.required for field in endpoint.body().fields.values())
        body = endpoint.body(many=endpoint.body.is_list)
        json: dict[str, Any] = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": is_required, "content": json}
    elif endpoint.is_raw:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": {}}}}
    elif endpoint.method == "POST":
        form, multipart = FORM_TYPES
        content = {form: {"schema": endpoint.reads()}, multipart: {"schema": _as_parts(endpoint.reads)()}}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.sends is not None and suffix is not XML:
        operation["callbacks"] = {"message": {"{$request.body#/url}": {"post": _message(endpoint.sends)}}}
    if endpoint.access.identify is not None:
        schemes = STAFF_SCHEME if endpoint.surface.is_for_staff else SECURITY_SCHEMES
        operation["security"] = [{name: []} for name in schemes]
    if endpoint.surface.is_for_staff:
        operation["tags"] = ["staff"]
    if endpoint.is_extension:
        operation["x-extension"] = True
        operation["tags"] = ["extensions"]
    return operation


def _message(body: type[Body]) -> dict[str, Any]:
    """What the server sends by itself to an address of the caller."""
    return {
        "operationId": "receive_message",
        "summary": "A webhook, signed as Standard Webhooks defines it.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body()}}},
        "responses": {"200": {"description": "The message is stored. Any other answer than 2xx is a failure."}},
    }


class Parts:
    """A base class without members. It marks a schema whose parameters are the parts of a multipart body."""


@cache
def _as_parts(reads: type[Arguments]) -> type[Arguments]:
    """A schema with the same parameters and another name.

    Client generators confuse two media types if both have the same schema.
    """
    return type(f"{reads.__name__.removesuffix('Arguments')}Parts", (Parts, reads), {})


def answers_in(schema: Schema) -> dict[str, Any]:
    """The schema of the fields `attribute[CODE]` of a form. OpenAPI 3.0 cannot describe a pattern of names.

    In a multipart body the fields have no type, because openapi-python-client cannot write lists as parts.
    """
    return _ANSWERS_IN_PARTS if isinstance(schema, Parts) else _ANSWERS


def _parameters(endpoint: Endpoint) -> list[Any]:
    if endpoint.surface.is_for_staff:
        return [{"in": "query", "schema": endpoint.reads()}, *_staff_headers(endpoint)]
    if endpoint.is_raw:
        return []
    if endpoint.method == "POST":
        return list(WRITING_HEADERS) if _is_form(endpoint) else []
    has_query = endpoint.reads is not NoArguments and endpoint.city is not City.IN_PATH
    query = [{"in": "query", "schema": endpoint.reads()}] if has_query else []
    return [*query, *READING_HEADERS]


def _staff_headers(endpoint: Endpoint) -> list[str]:
    """The headers of a call of staff."""
    return list(READING_HEADERS) if endpoint.method == "GET" else [f"Staff-{name}" for name in endpoint.conditions]


def path_parameters(path: str) -> list[dict[str, Any]]:
    """The variables of a path in Werkzeug's notation."""
    names = re.findall(r"<(?:\w+:)?(\w+)>", path)
    return [
        {"in": "path", "name": name, "required": True, "description": PATH_VARIABLES[name]}
        for name in names
        if name in PATH_VARIABLES
    ]


def _responses(endpoint: Endpoint, suffix: Format | None) -> dict[str, Any]:
    success = _success(endpoint, suffix)
    found: dict[str, Any] = {str(endpoint.success): success}
    if endpoint.method == "POST" and _is_form(endpoint):
        found["201"] = success | {"description": "Success, on a server whose operator prefers this status"}
    if 206 in endpoint.errors:
        found["206"] = success | {"description": "The part that Range asks for"}
    if endpoint.method == "GET":
        found["304"] = "NotModified"
    shape = _error_shape(endpoint, suffix)
    for status in sorted(_error_statuses(endpoint)):
        found[str(status)] = error_name(status, shape)
    return found


def _success(endpoint: Endpoint, suffix: Format | None) -> dict[str, Any]:
    found: dict[str, Any] = {"description": "Success", "headers": {name: name for name in _headers(endpoint)}}
    if isinstance(endpoint.answers, Media):
        found["content"] = {endpoint.answers.media_type: {"schema": endpoint.answers.schema}}
    elif endpoint.answers is not None and suffix is not None:
        found["content"] = _content(endpoint.answers, suffix)
    return found


def _is_form(endpoint: Endpoint) -> bool:
    """Whether the call sends its parameters as a form, as the calls of the standard do."""
    return not (endpoint.surface.is_for_staff or endpoint.is_raw or endpoint.body is not None)


def _headers(endpoint: Endpoint) -> list[str]:
    """The headers that the endpoint declares, and the headers that its other declarations imply."""
    found = {"X-Request-Id", *endpoint.headers}
    if endpoint.method == "GET":
        found.add("ETag")
    if endpoint.reads is not NoArguments:
        found.add("Warning")
    return sorted(found)


def _content(body: type[Body], output: Format) -> dict[str, Any]:
    if output is JSON:
        return {"application/json": {"schema": body(many=bool(body.xml_item))}}
    return {"text/xml": {"schema": xml_text(body)}}


def xml_text(body: type[Body]) -> dict[str, Any]:
    """An XML body, described as text, because generated clients cannot read XML with a schema."""
    items = f" with `{body.xml_item}` elements" if body.xml_item else ""
    return {"type": "string", "description": f"`{body.xml_root}`{items}; the fields are those of the JSON answer."}


def _error_statuses(endpoint: Endpoint) -> set[int]:
    """The statuses in `errors`, and the statuses that the endpoint's other declarations imply."""
    found = set(endpoint.errors) - {206} | {429, 503}
    if endpoint.reads is not NoArguments:
        found.add(400)
    if endpoint.city is not City.NONE:
        found.add(404)
    if endpoint.access.identify is not None:
        found.add(403)
    if endpoint.surface.is_for_staff:
        found.add(401)
    if endpoint.method == "POST" or endpoint.body is not None:
        found |= {408, 413, 415}
    return found


def _error_shape(endpoint: Endpoint, suffix: Format | None) -> Format | None:
    """The format of an endpoint's errors; None for problem+json, and for pages."""
    output = endpoint.output
    if endpoint.surface.errors is not ErrorShape.GEOREPORT or isinstance(output, PageFormat):
        return None
    return suffix or (output.error_format if output else None)


def error_name(status: int, shape: Format | None) -> str:
    """The name of a response in `components`, such as NotFound, NotFoundXml and NotFoundProblem."""
    return ERRORS[status][0] + {JSON: "", XML: "Xml", None: "Problem"}[shape]


def error_responses() -> dict[str, dict[str, Any]]:
    """Each error response by its name, for `components`."""
    contents = {
        None: {"application/problem+json": {"schema": "Problem"}},
        JSON: _content(ErrorSchema, JSON),
        XML: _content(ErrorSchema, XML),
    }
    return {
        error_name(status, shape): {
            "description": words,
            "headers": {
                name: name
                for name in ("Content-Language", "X-Request-Id", *(["Retry-After"] if status in WAITING else []))
            },
            "content": content,
        }
        for status, (_, words) in ERRORS.items()
        for shape, content in contents.items()
    }
