"""Licence and attribution of the data, as headers of downloads."""

from __future__ import annotations

import string
from urllib.parse import quote

from open311.operations.upkeep.dumps import terms
from open311.web.calls import Call

_PLAIN = "".join(sign for sign in string.printable[:95] if sign != "%")


def term_headers(call: Call) -> list[tuple[str, str]]:
    """A link to the licence, if one is set, and the attribution with % and non-ASCII characters percent-encoded."""
    licence, attribution = terms(call.platform, call.city)
    named = ("X-Attribution", quote(" ".join(attribution.split()), safe=_PLAIN))
    return [("Link", f'<{licence}>; rel="license"'), named] if licence else [named]
