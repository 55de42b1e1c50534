"""What citizens read when staff act and write no text of their own."""

from __future__ import annotations

TEXTS = {
    "fixed": "The problem is fixed.",
    "not_found": "We looked at the place and did not find the problem.",
    "no_violation": "We looked at it and found nothing against the rules.",
    "referred": "We passed this on to those who look after it.",
    "not_responsible": "This is not ours to look after.",
    "duplicate": "We handle this together with another report about the same thing.",
    "no_access": "We could not get to the place.",
    "cannot_do": "We cannot do anything about this.",
    "withdrawn": "The report was withdrawn.",
    "unknown": "This report is closed.",
    "merged": "We handle this together with {into}, a report about the same thing.",
}
"""The texts, by outcome, and for a merged request."""


def text_for(outcome: str, *, into: str = "") -> str:
    """The public text for an outcome. It is never empty. `into`: the id of the request that it was merged into."""
    name = "duplicate" if outcome == "merged" and not into else outcome
    return TEXTS[name].format(into=into)
