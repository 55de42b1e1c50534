"""The cookie of a person who is signed in to the pages for staff, and the token that protects the forms there."""

from __future__ import annotations

import hmac

from werkzeug.http import dump_cookie
from werkzeug.wrappers import Request

from open311.web.surfaces import DESK

FORM_TOKEN = "form_token"  # noqa: S105  # the name of a field
_NAME = "open311-desk"


def read_secret(request: Request) -> str:
    """The secret of the session in the cookie; "" without a cookie."""
    return request.cookies.get(_name(request), "")


def cookie_with(request: Request, secret: str) -> tuple[str, str]:
    """The header that stores a secret in the browser until it is closed; with "", it removes the cookie."""
    value = dump_cookie(
        _name(request),
        secret,
        max_age=None if secret else 0,
        path=request.root_path + DESK.prefix,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return "Set-Cookie", value


def form_token(secret: str) -> str:
    """What each form of a session has in a hidden field. Other sites cannot know it."""
    return hmac.digest(secret.encode(), b"form", "sha256").hex()


def _name(request: Request) -> str:
    """With the prefix __Secure-, a browser takes the cookie only over HTTPS. __Host- would need the path `/`."""
    return f"__Secure-{_NAME}" if request.is_secure else _NAME
