"""Under which terms the data may be used, in the headers of every answer that people take data from."""

from __future__ import annotations

import string
from urllib.parse import quote

from flask import Response

from open311.operations.upkeep.dumps import terms
from open311.plugins import Jurisdiction
from open311.web.context import platform

_PLAIN = "".join(sign for sign in string.printable[:95] if sign != "%")


def add_terms(response: Response, jurisdiction: Jurisdiction) -> None:
    """Link to the licence, if there is one, and say whom to name; what is not ASCII there is percent-encoded."""
    licence, attribution = terms(platform(), jurisdiction)
    if licence:
        response.headers.add("Link", f'<{licence}>; rel="license"')
    response.headers["X-Attribution"] = quote(" ".join(attribution.split()), safe=_PLAIN)
