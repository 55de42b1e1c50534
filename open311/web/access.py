"""Access rules: who may call an endpoint. Each endpoint declares its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from open311.clock import utc_now
from open311.domain.access import PORTAL, PROMETHEUS, Principal
from open311.errors import Forbidden, NotFound
from open311.operations.access.api_keys import require_app, require_key, require_scope, require_sensor_key
from open311.operations.access.sessions import require_session
from open311.operations.access.staff import require_city, require_staff
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage.hot.ahead import ReadAhead
from open311.web.gate import READING, limit_key
from open311.web.parsing import Parameters, first, read_query
from open311.web.session_cookies import FORM_TOKEN, form_token, read_secret
from open311.web.surfaces import AHEAD
from schemas.texts import tell

FOREIGN_FORM = tell("This form was sent from another site. Open it here, and send it again.")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an endpoint.

    identify  returns the caller, or raises Forbidden, Unauthenticated or NotFound. It runs before the city and the
              parameters are checked. None if anybody may call.
    require   raises Forbidden or NotFound if a caller may not call for a jurisdiction
    """

    name: str
    identify: Callable[[Platform, Request, Parameters], Principal] | None
    require: Callable[[Principal, str], None] = require_scope

    def check_city(self, principal: Principal | None, city: Jurisdiction | None) -> None:
        """Raise what `require` raises if the caller's key or account is not valid for the city of the call."""
        if principal is not None and city is not None:
            self.require(principal, city.id)


def key_holder(platform: Platform, request: Request, sent: Parameters) -> Principal:
    """The app with the key in api_key, Authorization: Bearer or X-Api-Key. Raises Forbidden (A56, A57)."""
    principal = _any_key_holder(platform, request, sent)
    require_app(principal)
    return principal


def _any_key_holder(platform: Platform, request: Request, sent: Parameters) -> Principal:
    given = first(sent, "api_key") or bearer(request) or request.headers.get("X-Api-Key", "").strip()
    return require_key(platform, given)


def _sensor_key_holder(platform: Platform, request: Request, sent: Parameters) -> Principal:
    """The holder of a key that was made for sensors. Raises Forbidden."""
    principal = _any_key_holder(platform, request, sent)
    require_sensor_key(principal)
    return principal


def require_partner(platform: Platform, request: Request, city: Jurisdiction) -> Principal:
    """The holder of the key in a call to a public endpoint, for what only partners may have.

    Raises Forbidden if the call has no key for the city, and TooManyRequests above the rate for keys.
    """
    principal = key_holder(platform, request, read_query(request.query_string))
    limit_key(request.environ, principal)
    require_scope(principal, city.id)
    return principal


def find_partner(platform: Platform, request: Request, city: Jurisdiction) -> Principal | None:
    """Like `require_partner`, but None if the call has no key for the city."""
    try:
        return require_partner(platform, request, city)
    except Forbidden:
        return None


def _account_holder(platform: Platform, request: Request, sent: Parameters) -> Principal:  # noqa: ARG001
    """The account of the token in Authorization: Bearer, the only place for it. Raises Unauthenticated."""
    ahead: ReadAhead | None = request.environ.get(AHEAD)
    return require_staff(platform, bearer(request), now=utc_now(), run=ahead.rows if ahead else None)


def bearer(request: Request) -> str:
    """The credential in Authorization: Bearer; "" if there is none."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _prometheus(platform: Platform, request: Request, sent: Parameters) -> Principal:  # noqa: ARG001
    """A caller that sends the token of the settings. Raises NotFound if none is set, Forbidden if it is wrong."""
    token = platform.settings.metrics_token
    if not token:
        raise NotFound(tell("Metrics are switched off; set OPEN311_METRICS_TOKEN."))
    if not compare_digest(bearer(request).encode(), token.encode()):
        raise Forbidden(tell("Send the token of OPEN311_METRICS_TOKEN in Authorization: Bearer."))
    return PROMETHEUS


def _signed_in(platform: Platform, request: Request, sent: Parameters) -> Principal:
    """The account that is signed in to the pages for staff.

    Raises Unauthenticated without a session, and Forbidden for a form that no page of this session has made.
    """
    secret = read_secret(request)
    principal = require_session(platform, secret, now=utc_now())
    if request.method not in READING:
        if _is_from_elsewhere(request, platform.settings.public_url):
            raise Forbidden(FOREIGN_FORM)
        if FORM_TOKEN in read_query(request.query_string):
            raise Forbidden(FOREIGN_FORM)  # logs and histories keep addresses, and a link could have the token
        if not compare_digest(first(sent, FORM_TOKEN).encode(), form_token(secret).encode()):
            raise Forbidden(tell("This form is from an earlier session. Open the page again."))
    return principal


def _require_own_city(principal: Principal, jurisdiction_id: str) -> None:
    """Raise NotFound for a city of others, so that no account learns anything about it."""
    if not principal.scope.covers(jurisdiction_id):
        raise NotFound(tell("There is nothing at this address; see the API page at /docs."))


def _portal(platform: Platform, request: Request, sent: Parameters) -> Principal:  # noqa: ARG001
    """The caller of the pages for citizens. Raises Forbidden for a form of another site (decision 0041)."""
    if request.method not in READING and _is_from_elsewhere(request, platform.settings.public_url):
        raise Forbidden(FOREIGN_FORM)
    return PORTAL


def _is_from_elsewhere(request: Request, public_url: str) -> bool:
    """Whether a browser says that another site sent the call.

    Programs send neither Sec-Fetch-Site nor Origin. They need not be refused, because no other site can make them
    send forms.
    """
    fetch_site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if fetch_site is not None:
        return fetch_site not in ("same-origin", "none")
    if origin is None:
        return False
    own = urlsplit(public_url)
    here = (f"{request.scheme}://{request.host}", f"{own.scheme}://{own.netloc}" if own.netloc else None)
    return origin not in here


ANYBODY = Access("anybody", None)
"""Public. No key is needed. Most views do not look at a key.

Only views that call `find_partner` or `require_partner`, and the list of updates, look at a key.
"""
SIGNED = Access("signature", None)
"""Only back offices, and the gateway for text messages. The operation checks the signature of the call."""
BY_LINK = Access("link", None)
"""Whoever has the secret link in the path. The operation checks the link."""
PORTAL_FORM = Access("portal", _portal)
"""Everybody who uses the pages for citizens. Forms of other sites are refused."""
API_KEY = Access("api_key", key_holder)
"""Only apps with an api_key for the city that is neither revoked nor suspended."""
SENSOR_KEY = Access("sensor_key", _sensor_key_holder)
"""Only holders of an api_key that was made for things of the city, and is neither revoked nor suspended."""
STAFF = Access("staff", _account_holder, require_city)
"""Only accounts of staff for the city. The operation checks the role of the account."""
SIGNED_IN = Access("signed_in", _signed_in, _require_own_city)
"""Only accounts of staff for the city, with a session in a browser. Its forms come from pages of the session."""
METRICS_TOKEN = Access("metrics_token", _prometheus)
"""Only a caller that sends the token of the settings. Nobody may call if no token is set."""
