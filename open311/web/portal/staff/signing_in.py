"""Signing in and out, and the first page, which leads to the city of the account."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import TooManyRequests

from open311.domain.access import Principal
from open311.errors import Unauthenticated
from open311.operations.access.sessions import USED_LINK, end_all_sessions, end_session, sign_in
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY, PORTAL_FORM, SIGNED_IN
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.errors import too_many_for_people
from open311.web.gate import limit_sign_in
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.session_cookies import cookie_with, read_secret
from open311.web.surfaces import DESK, SIGN_IN
from schemas.desk import FormArguments
from schemas.portal import PageArguments

_SHARED: dict[str, Any] = {"city": City.NONE, "output": PageFormat.HTML}


@endpoint(SIGN_IN, "", reads=PageArguments, access=ANYBODY, **_SHARED)
def sign_in_page(call: Call) -> Answer:
    """How to sign in: by a link that the operator of the server makes."""
    return desk_page(call, "sign_in.html", secret="", fault="")


@endpoint(SIGN_IN, "/<code:secret>", reads=PageArguments, access=ANYBODY, **_SHARED)
def login_link_page(call: Call, secret: str) -> Answer:
    """The page behind a login link. It has only a button, because programs that look for viruses open links."""
    return desk_page(call, "sign_in.html", secret=secret, fault="")


@endpoint(SIGN_IN, "/<code:secret>", reads=PageArguments, access=PORTAL_FORM, method="POST", **_SHARED)
def use_login_link(call: Call, secret: str) -> Answer:
    """Begin a session with the secret of a login link."""
    try:
        session = sign_in(call.platform, secret, now=call.now)
    except Unauthenticated:
        return _refused(call)
    frame = DeskFrame(call.request)
    return see_other(_first_page(call, session.principal, frame), cookie_with(call.request, session.secret))


def _refused(call: Call) -> Answer:
    try:
        limit_sign_in(call.request.environ)
    except TooManyRequests as error:
        wait_s = (("Retry-After", str(error.retry_after)),)
        return desk_page(
            call, "sign_in.html", status=429, headers=wait_s, secret="", fault=too_many_for_people(error)
        )
    return desk_page(call, "sign_in.html", status=401, secret="", fault=USED_LINK)


@endpoint(DESK, "/sign-out", reads=FormArguments, access=SIGNED_IN, method="POST", **_SHARED)
def sign_out(call: Call) -> Answer:
    """End the session."""
    end_session(call.platform, read_secret(call.request), principal=call.caller, now=call.now)
    return see_other(DeskFrame.of(call).sign_in, cookie_with(call.request, ""))


@endpoint(DESK, "/", reads=PageArguments, access=SIGNED_IN, **_SHARED)
def desk_home(call: Call) -> Answer:
    """Lead to the queue of the account's city, or show the cities of an account of all cities."""
    frame = DeskFrame.of(call)
    address = _first_page(call, call.caller, frame)
    if address != frame.home:
        return see_other(address)
    return desk_page(call, "cities.html", cities=_cities(call, call.caller))


@endpoint(DESK, "/account", reads=PageArguments, access=SIGNED_IN, **_SHARED)
def account_page(call: Call) -> Answer:
    """The account that is signed in: its role, its departments, and the end of its session."""
    scope = call.caller.scope
    city = call.platform.registry.jurisdictions.get(scope.jurisdiction_id)
    names = {one.code: one.name for one in city.departments} if city else {}
    departments = [names.get(code, code) for code in sorted(scope.departments)]
    return desk_page(call, "account.html", own_city=city, departments=departments, roles=words.ROLES)


@endpoint(DESK, "/account", reads=FormArguments, access=SIGNED_IN, method="POST", **_SHARED)
def end_sessions(call: Call) -> Answer:
    """End all sessions of the account, for example after a phone was lost."""
    end_all_sessions(call.platform, principal=call.caller, now=call.now)
    return see_other(DeskFrame.of(call).sign_in, cookie_with(call.request, ""))


def _cities(call: Call, principal: Principal) -> list[Jurisdiction]:
    return [city for city in call.platform.registry if principal.scope.covers(city.id)]


def _first_page(call: Call, principal: Principal, frame: DeskFrame) -> str:
    """The queue of the account's city; the list of cities if it has several, or none that is served."""
    found = _cities(call, principal)
    return frame.city_link(found[0].id) if len(found) == 1 else frame.home
