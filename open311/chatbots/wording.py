"""What a chatbot may say about a request, made of the record alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from open311.federation.client import ServiceRequest

FIXED = "fixed"
OUTCOMES = {
    FIXED: "fixed",
    "not_found": "the problem was not found",
    "no_violation": "no violation was found",
    "referred": "referred to somebody else",
    "not_responsible": "the city is not responsible",
    "duplicate": "the same problem was reported before",
    "no_access": "the place could not be reached",
    "cannot_do": "the city cannot do it",
    "withdrawn": "withdrawn by the person who reported it",
}
"""`outcome` of a closed request (rule E3) -> words."""


def status_sentence(request: ServiceRequest) -> str:
    """Sentences about the status. They say "fixed" only if the outcome does, and quote the note."""
    more = extended(request)
    name = f" ({request.service_name})" if request.service_name else ""
    sentences = [f"Request {request.service_request_id}{name} is {request.status or 'without a status'}."]
    if request.status == "closed":
        sentences += _outcome(str(more.get("outcome") or ""))
    else:
        detail = str(more.get("detailed_status") or "").replace("_", " ")
        sentences += [f"State of the work, in the city's word: {detail}."] if detail else []
        if request.expected_datetime:
            sentences.append(f"The city expects to be done by {request.expected_datetime:%Y-%m-%d}.")
    if request.status_notes:
        sentences.append(f"The city's note: “{request.status_notes}”")
    return " ".join(sentences)


def extended(request: ServiceRequest) -> Mapping[str, Any]:
    """The `extended_attributes` of a request; empty if the server has none."""
    found = request.extra.get("extended_attributes")
    return found if isinstance(found, Mapping) else {}


def _outcome(outcome: str) -> list[str]:
    if outcome not in OUTCOMES:
        return ["The record does not say whether the problem was fixed."]
    told = [f"Outcome: {OUTCOMES[outcome]}."]
    return told if outcome == FIXED else [*told, "The record does not say that the problem was fixed."]
