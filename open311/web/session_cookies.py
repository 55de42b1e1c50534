"""The cookies of signed-in staff and of supporters, and the token of the forms on pages for staff."""

from __future__ import annotations

import hmac
import re
import secrets
from urllib.parse import quote

from werkzeug.http import dump_cookie
from werkzeug.wrappers import Request

from open311.web.surfaces import DESK, PORTAL, SIGN_IN

FORM_TOKEN = "form_token"  # noqa: S105  # the name of a field
_NAME, _TICKET, _ONCE, _WANTED = "open311-desk", "open311-sign-in", "open311-once", "open311-wanted"
ONCE_S = 600
"""How long the browser keeps what a page shows once, and the address of the page to show after the sign-in."""
MOST_WANTED = 1_000
_PLAIN = re.compile(r"[!-\[\]-~]+", re.ASCII)
"""The characters of an address, without blanks and backslashes."""
_SUPPORTER = "open311-supporter"
_A_YEAR_S = 31_536_000
_BROWSER_BYTES = 16
_BROWSER = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
"""The form of the names that `secrets.token_urlsafe` makes from `_BROWSER_BYTES` bytes.

Any other text is not the name of a browser.
"""


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


def read_once(request: Request) -> str:
    """What a form has left for the next page to show once, sealed by this server; "" if there is nothing."""
    return request.cookies.get(_name(request, _ONCE), "")


def once_cookie(request: Request, sealed: str) -> tuple[str, str]:
    """The header that keeps a sealed value for the next page. With "", it is removed."""
    return _header(request, _ONCE, sealed, path=DESK.prefix, max_age=ONCE_S)


def wanted_cookie(request: Request, address: str) -> tuple[str, str]:
    """The header that keeps the address of the page that is shown after the sign-in. With "", it is removed."""
    return _header(request, _WANTED, address, path=DESK.prefix, max_age=ONCE_S)


def read_wanted(request: Request) -> str:
    """The path and the query of the page for staff that was wanted before the sign-in; "" for none.

    The address always leads to a page for staff of this server, whoever has written the cookie.
    """
    found = request.cookies.get(_name(request, _WANTED), "")
    own, sign_in = f"{request.root_path}{DESK.prefix}/", f"{request.root_path}{SIGN_IN.prefix}"
    is_own = found.startswith(own) and not found.startswith(sign_in)
    is_plain = _PLAIN.fullmatch(found) is not None and ".." not in found and "//" not in found.partition("?")[0]
    return found if is_own and is_plain and len(found) <= MOST_WANTED else ""


def read_browser(request: Request) -> str:
    """The random name of a browser whose user has said "me too"; "" without one."""
    found = request.cookies.get(_name(request, _SUPPORTER), "")
    return found if _BROWSER.fullmatch(found) else ""


def new_browser() -> str:
    """A random name for a browser, with 128 bits. It says nothing about the person."""
    return secrets.token_urlsafe(_BROWSER_BYTES)


def browser_cookie(request: Request, name: str, jurisdiction_id: str) -> tuple[str, str]:
    """The header that stores the name of a browser for a year, for the pages of requests of one city."""
    path = f"{PORTAL.prefix}/{quote(jurisdiction_id, safe='')}/requests"
    return _header(request, _SUPPORTER, name, path=path, max_age=_A_YEAR_S)


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
    """The full name of a cookie.

    With the prefix __Secure-, a browser accepts the cookie only over HTTPS. __Host- would need the path `/`.
    """
    return f"__Secure-{name}" if request.is_secure else name
