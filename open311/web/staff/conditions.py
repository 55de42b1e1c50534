"""The two headers with which staff's programs guard a change: If-Match and Idempotency-Key.

An endpoint that reads one of them names it in its `conditions`, for the OpenAPI document.
"""

from __future__ import annotations

import re

from werkzeug.wrappers import Request

from open311.domain.text import clean_text
from open311.errors import Invalid
from schemas.texts import tell

IF_MATCH = "If-Match"
IDEMPOTENCY_KEY = "Idempotency-Key"
MOST_KEY_CHARACTERS = 200
_TAG = re.compile(r'"v(?P<version>0|[1-9]\d{0,17})"', re.ASCII)


def seen_version(request: Request) -> int | None:
    """The version in If-Match; None if the header is absent or `*`. Raises Invalid for any other value."""
    sent = request.headers.get(IF_MATCH, "").strip()
    if sent in ("", "*"):
        return None
    match = _TAG.fullmatch(sent)
    if match is None:
        fault = tell('{sent!r} is no ETag of ours; send the one that you have read, such as "v3".', sent=sent[:40])
        raise Invalid(fault, IF_MATCH)
    return int(match["version"])


def repeat_key(request: Request) -> str:
    """The header Idempotency-Key; "" if it is absent. Raises Invalid if it is too long."""
    key = clean_text(request.headers.get(IDEMPOTENCY_KEY, "")).strip()
    if len(key) > MOST_KEY_CHARACTERS:
        lengths = {"count": len(key), "most": MOST_KEY_CHARACTERS}
        raise Invalid(tell("has {count} characters; send at most {most}.", **lengths), IDEMPOTENCY_KEY)
    return key
