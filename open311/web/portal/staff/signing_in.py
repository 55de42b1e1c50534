"""Signing in and out, and the first page, which leads to the city of the account."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import TooManyRequests

from open311.domain.access import Principal
from open311.errors import Unauthenticated, Unavailable
from open311.operations.access.openid import (
    GOOD_FOR_S,
    begin_sign_in,
    finish_sign_in,
    is_offered,
    sign_out_address,
)
from open311.operations.access.sessions import (
    Session,
    end_all_sessions,
    end_former_session,
    end_session,
    sign_in,
)
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY, PORTAL_FORM, SIGNED_IN
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.errors import RETRY_AFTER_S, too_many_for_people
from open311.web.gate import limit_sign_in
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.session_cookies import (
    cookie_with,
    read_secret,
    read_ticket,
    read_wanted,
    ticket_cookie,
    wanted_cookie,
)
from open311.web.surfaces import DESK, SIGN_IN
from schemas.desk import BeginSignInArguments, FormArguments, ProviderAnswerArguments, SignInArguments
from schemas.portal import PageArguments
from schemas.texts import Message, tell

_SHARED: dict[str, Any] = {"city": City.NONE, "output": PageFormat.HTML}
_OF_CITY: dict[str, Any] = {"city": City.IN_PATH, "output": PageFormat.HTML}
_SIGNED_OUT = tell("You are signed out here.")


@endpoint(SIGN_IN, "", reads=SignInArguments, access=ANYBODY, **_SHARED)
def sign_in_page(call: Call) -> Answer:
    """How to sign in: at the city's sign-in service, or by a link that the operator of the server makes."""
    is_out = call.values["done"] == "out"
    return _page(call, notice=_SIGNED_OUT if is_out else None, leave=_way_out(call) if is_out else "")


@endpoint(SIGN_IN, "/<code:secret>", reads=PageArguments, access=ANYBODY, **_SHARED)
def login_link_page(call: Call, secret: str) -> Answer:
    """The page behind a login link. It has only a button, because programs that look for viruses open links."""
    return _page(call, secret=secret)


@endpoint(SIGN_IN, "/<code:secret>", reads=PageArguments, access=PORTAL_FORM, method="POST", **_SHARED)
def use_login_link(call: Call, secret: str) -> Answer:
    """Begin a session with the secret of a login link."""
    try:
        session = sign_in(call.platform, secret, now=call.now)
    except Unauthenticated as error:
        return _refused(call, error)
    return _signed_in(call, session)


@endpoint(SIGN_IN, "/with/<jurisdiction_id>", reads=BeginSignInArguments, access=ANYBODY, **_OF_CITY)
def begin_at_provider(call: Call) -> Answer:
    """Lead the browser to the sign-in service. This is a link and no form, because the content policy forbids forms
    that lead to another site."""
    frame = DeskFrame.of(call)
    try:
        begun = begin_sign_in(
            call.platform,
            call.city.id,
            back=_back(call),
            language=frame.language,
            asks_again=bool(call.values["again"]),
            now=call.now,
        )
    except Unavailable as error:
        return _down(call, error)
    return see_other(begun.address, ticket_cookie(call.request, begun.ticket, max_age=GOOD_FOR_S))


@endpoint(SIGN_IN, "/back", reads=ProviderAnswerArguments, access=ANYBODY, **_SHARED)
def finish_at_provider(call: Call) -> Answer:
    """Begin a session for the person whom the sign-in service has led back. Its answer can be used once."""
    spent = ticket_cookie(call.request, "")
    try:
        ticket = read_ticket(call.request)
        session = finish_sign_in(call.platform, ticket, call.values, back=_back(call), now=call.now)
    except Unauthenticated as error:
        return _refused(call, error, spent)
    except Unavailable as error:
        return _down(call, error, spent)
    return _signed_in(call, session, spent)


def _signed_in(call: Call, session: Session, *headers: tuple[str, str]) -> Answer:
    """Lead to the page that was wanted, or to the first page. The browser's former session ends."""
    former = read_secret(call.request)
    if former:
        end_former_session(call.platform, former, now=call.now)
    first_page = _first_page(call, session.principal, DeskFrame(call.request))
    address = _wanted(call, session.principal) or first_page
    cookies = (cookie_with(call.request, session.secret), wanted_cookie(call.request, ""))
    return see_other(address, *cookies, *headers)


def _wanted(call: Call, principal: Principal) -> str:
    """The page that was wanted before the sign-in.

    "" if there is none, or if it is a page of a city that the account may not see.
    """
    address = read_wanted(call.request)
    rest = address.partition("?")[0].removeprefix(f"{call.request.root_path}{DESK.prefix}/")
    city_id = rest.partition("/")[0]
    is_of_city = city_id in call.platform.registry.jurisdictions and principal.scope.covers(city_id)
    return address if is_of_city or rest == "account" else ""


def _refused(call: Call, error: Unauthenticated, *headers: tuple[str, str]) -> Answer:
    """The page about a failed sign-in.

    Failed sign-ins are counted by address, so that nobody can try many links.
    """
    try:
        limit_sign_in(call.request.environ)
    except TooManyRequests as limit:
        wait_s = ("Retry-After", str(limit.retry_after))
        return _page(call, status=429, headers=(wait_s, *headers), fault=too_many_for_people(limit))
    return _page(call, status=401, headers=headers, fault=error.problems[0].message)


def _down(call: Call, error: Unavailable, *headers: tuple[str, str]) -> Answer:
    wait_s = ("Retry-After", RETRY_AFTER_S)
    return _page(call, status=503, headers=(wait_s, *headers), fault=error.problems[0].message)


def _page(
    call: Call,
    *,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (),
    secret: str = "",
    fault: str = "",
    notice: Message | None = None,
    leave: str = "",
) -> Answer:
    """The page for signing in.

    secret  the secret of a login link; then the page has only the button of this link
    leave   the address where the person signs out of the sign-in service; "" for none
    """
    platform = call.platform
    cities = list(platform.registry) if is_offered(platform) and not secret else []
    return desk_page(
        call,
        "sign_in.html",
        status=status,
        headers=headers,
        secret=secret,
        fault=fault,
        notice=notice,
        leave=leave,
        cities=cities,
        service=platform.settings.oidc_name,
    )


def _back(call: Call) -> str:
    """The address to which the sign-in service leads the browser back. The operator registers it at the service."""
    return f"{call.own_address()}{SIGN_IN.prefix}/back"


def _way_out(call: Call) -> str:
    return sign_out_address(call.platform, back=call.own_address() + SIGN_IN.prefix)


@endpoint(DESK, "/sign-out", reads=FormArguments, access=SIGNED_IN, method="POST", **_SHARED)
def sign_out(call: Call) -> Answer:
    """End the session."""
    end_session(call.platform, read_secret(call.request), principal=call.caller, now=call.now)
    return see_other(DeskFrame.of(call).signed_out, cookie_with(call.request, ""))


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
    """The queue of the account's city; the list of cities if the account has several, or no served one."""
    found = _cities(call, principal)
    return frame.city_link(found[0].id) if len(found) == 1 else frame.home
