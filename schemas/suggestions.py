"""Parameters and body of the suggestions of services (spec/extensions.md, X1 to X7)."""

from __future__ import annotations

from marshmallow import fields

from schemas.arguments import ServiceListArguments
from schemas.base import Body, Text, describe
from schemas.georeport import ServiceSchema
from schemas.limits import MAX_SENTENCE_CHARACTERS
from schemas.parameters import TextParameter
from schemas.texts import tell


class SuggestionArguments(ServiceListArguments):
    """The parameters of the suggestions."""

    q = TextParameter(
        "What the person writes; only the first 500 characters count.",
        "the lamp at my corner is dark",
        most_characters=MAX_SENTENCE_CHARACTERS,
        missing=tell("is missing; send what the person writes."),
    )


class SuggestionsSchema(Body):
    """The services that fit a sentence."""

    xml_root = "suggestions"

    emergency_number = Text(
        metadata=describe("The number to call if the sentence sounds like an emergency, else empty.", "112")
    )
    emergency_notice = Text(
        metadata=describe("What to show first then, in the language of the caller.", "If somebody is in danger…")
    )
    services = fields.List(
        fields.Nested(ServiceSchema), metadata=describe("At most three services, the best first; perhaps none.")
    )
