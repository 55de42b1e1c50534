"""GeoReport calls: one route with a suffix, one without, both formats in OpenAPI."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint as FlaskBlueprint
from flask import Response

from open311.errors import Invalid
from open311.web.context import output_format
from open311.web.documentation import DescribedBlueprint
from schemas import Arguments, Body, ErrorSchema

View = Callable[..., Response]
ERROR_WORDS = {
    400: "Something is missing or wrong; the text says what.",
    403: "The api_key is missing or wrong.",
    404: "Something named here does not exist; the text says what.",
    410: "What was sent was given out once and leads nowhere any more; the text says what.",
    413: "The body is too large.",
    415: "The body is of a type that is not read here.",
    429: "Too many calls; see Retry-After.",
    503: "The database cannot be reached just now; see Retry-After.",
}


class GeoReportBlueprint(DescribedBlueprint):
    """A blueprint whose calls answer in JSON or XML, as the suffix or Accept wants."""

    is_extension = False

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.hot: dict[str, View | None] = {}

    def call(
        self,
        rule: str,
        *,
        takes: type[Arguments] | None,
        answers: type[Body],
        method: str = "GET",
        errors: tuple[int, ...] = (400, 404, 503),
        by_accept: bool = True,
        is_hot: bool = False,
    ) -> Callable[[View], View]:
        """Register a view at `rule`.json, `rule`.xml and `rule`; it gets the format as `output`.

        takes    what the call reads, for the API page; the view reads it itself
        answers  the body of success; a list where the body has an item name
        by_accept  whether the address without suffix is the same call
        is_hot     whether it is asked for so often that the quick lane has it too
        """

        def decorate(view: View) -> View:
            @wraps(view)
            def serve(suffix: str | None = None, **values: str) -> Response:
                for name, value in values.items():
                    if "\x00" in value:
                        raise Invalid("holds a NUL character; leave it out.", name)
                return view(output=output_format(suffix), **values)

            described = _documentation(takes, answers, method, errors)
            if self.is_extension:
                described["manual_doc"] = {"x-extension": True}
            serve._apidoc = described  # type: ignore[attr-defined]
            self.add_url_rule(f"{rule}.<any(json,xml):suffix>", view.__name__, serve, methods=[method])
            if method == "GET":
                self.hot[rule] = view if is_hot else None
            if by_accept:  # the API page shows each call once
                FlaskBlueprint.add_url_rule(self, rule, f"{view.__name__}_by_accept", serve, methods=[method])
            return view

        return decorate


class ExtensionBlueprint(GeoReportBlueprint):
    """A blueprint whose calls are ours, not the standard's, and marked so in OpenAPI."""

    is_extension = True


def _documentation(
    takes: type[Arguments] | None, answers: type[Body], method: str, errors: tuple[int, ...]
) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if takes is not None:
        location = "form" if method == "POST" else "query"
        arguments = {"parameters": [{"in": location, "required": True, "schema": takes()}]}
    responses: dict[int, list[dict[str, Any]]] = {200: _both_formats(answers, "Success")}
    for status in errors:
        responses[status] = _both_formats(ErrorSchema, ERROR_WORDS[status])
    return {"arguments": arguments, "response": {"responses": responses}}


def _both_formats(body: type[Body], description: str) -> list[dict[str, Any]]:
    reference = {"$ref": f"#/components/schemas/{body.__name__.removesuffix('Schema')}"}
    xml: dict[str, Any] = {"allOf": [reference], "xml": {"name": body.xml_root}}
    if body.xml_item:
        xml = {"type": "array", "xml": {"name": body.xml_root, "wrapped": True}, "items": reference}
    return [
        {"schema": xml, "description": description, "content_type": "text/xml"},
        {"schema": body(many=bool(body.xml_item)), "description": description, "content_type": "application/json"},
    ]
