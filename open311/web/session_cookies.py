"""The cookie of a person who is signed in to the pages for staff, and the token that protects the forms there."""

from __future__ import annotations

import hmac

from werkzeug.http import dump_cookie
from werkzeug.wrappers import Request

from open311.web.surfaces import DESK, SIGN_IN

FORM_TOKEN = "form_token"  # noqa: S105  # the name of a field
_NAME, _TICKET = "open311-desk", "open311-sign-in"


def read_secret(request: Request) -> str:
    """The secret of the session in the cookie; "" without a cookie."""
    return request.cookies.get(_name(request, _NAME), "")


def cookie_with(request: Request, secret: str) -> tuple[str, str]:
    """The header that stores a secret in the browser until the browser is closed. With "", it is removed."""
    return _header(request, _NAME, secret, path=DESK.prefix, max_age=None)


def read_ticket(request: Request) -> str:
    """The ticket of a sign-in that was begun at a provider; "" without one."""
    return request.cookies.get(_name(request, _TICKET), "")


def ticket_cookie(request: Request, ticket: str, *, max_age: int = 0) -> tuple[str, str]:
    """The header that stores the ticket of a sign-in for `max_age` seconds. With "", it is removed."""
    return _header(request, _TICKET, ticket, path=SIGN_IN.prefix, max_age=max_age)


def _header(request: Request, name: str, value: str, *, path: str, max_age: int | None) -> tuple[str, str]:
    cookie = dump_cookie(
        _name(request, name),
        value,
        max_age=max_age if value else 0,
        path=request.root_path + path,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return "Set-Cookie", cookie


def form_token(secret: str) -> str:
    """What each form of a session has in a hidden field. Other sites cannot know it."""
    return hmac.digest(secret.encode(), b"form", "sha256").hex()


def _name(request: Request, name: str) -> str:
    """With the prefix __Secure-, a browser takes the cookie only over HTTPS. __Host- would need the path `/`."""
    return f"__Secure-{name}" if request.is_secure else name
