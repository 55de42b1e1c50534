"""The ids, tokens and keys that the server makes: opaque and case-sensitive (A70).

All are safe in any URL, except the secrets of webhooks.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from datetime import datetime

from open311.outgoing import SECRET_PREFIX

_PLACEHOLDERS = {"number", "year", "yy"}
_FIELD = re.compile(r"\{(?P<name>[a-z]+)(?::0(?P<width>\d{1,2}))?\}")
_SAFE = re.compile(r"[A-Za-z0-9_-]*")


def check_pattern(pattern: str) -> str:
    """What is wrong with an id pattern such as `SR{yy}-{number:08}`; "" if nothing is."""
    if "{number" not in pattern:
        return "must contain {number}, or two requests would get the same id"
    unknown = {match["name"] for match in _FIELD.finditer(pattern)} - _PLACEHOLDERS
    if unknown:
        return f"may have the placeholders {{number}}, {{year}} and {{yy}}, not {{{sorted(unknown)[0]}}}"
    if not _SAFE.fullmatch(_FIELD.sub("", pattern)):
        return "may hold only letters, digits, - and _ outside its placeholders"
    return ""


def format_id(pattern: str, number: int, at: datetime) -> str:
    """The id for a request's number: `SR{yy}-{number:08}` -> `SR26-00000042`."""
    values = {"number": str(number), "year": f"{at.year:04}", "yy": f"{at.year % 100:02}"}
    return _FIELD.sub(lambda match: values[match["name"]].rjust(int(match["width"] or 0), "0"), pattern)


def new_token() -> str:
    """A token for a batch request, with 128 random bits, so that nobody can guess it."""
    return secrets.token_hex(16)


def new_api_key() -> str:
    """An api_key with 192 random bits, URL-safe."""
    return secrets.token_urlsafe(24)


def new_block_secret() -> str:
    """The key of the digests in the block list, with 256 random bits."""
    return secrets.token_hex(32)


def new_status_secret() -> str:
    """The secret of a link to one's own request, with 192 random bits, URL-safe."""
    return secrets.token_urlsafe(24)


def new_staff_secret() -> str:
    """A token or login secret of staff with 192 random bits, URL-safe. Its prefix helps tools that find leaks."""
    return f"staff_{secrets.token_urlsafe(24)}"


def new_subscription_name() -> str:
    """The public id of a subscription, with 96 random bits, URL-safe."""
    return f"sub_{secrets.token_hex(12)}"


def new_webhook_secret() -> str:
    """A secret of Standard Webhooks, with 256 random bits."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(32)).decode()


def new_challenge() -> str:
    """What a receiver of webhooks must answer once, with 192 random bits, URL-safe."""
    return secrets.token_urlsafe(24)
