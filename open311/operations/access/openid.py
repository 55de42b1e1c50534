"""Sign-in by the city's OpenID Connect provider (decision 0047). It makes no accounts: `open311 staff add` does.

The provider says who the person is, and `open_session` makes the session, as for a login link.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from open311.errors import NotFound, Unauthenticated, Unavailable
from open311.federation.openid import OpenIdClient, Provider, ProviderDown, Secrets, SignInFailed, SignInRefused
from open311.observe import logger
from open311.operations.access.sessions import Session, open_session
from open311.operations.platform import Platform
from open311.storage import accounts
from schemas.texts import tell

log = logger(__name__)

GOOD_FOR_S = 600
"""How long a person may take at the provider."""
_CLOCKS_S = 60
"""How far the clocks of two hosts of one server may differ."""
_MOST_CHARACTERS = 4_000
_CANCELLED = ("access_denied", "login_required", "interaction_required", "consent_required")
_PASSING = ("temporarily_unavailable", "server_error")
_EMAIL, _VERIFIED = "email", "email_verified"

STALE = tell("This sign-in was used already, is too old, or was begun in another browser. Begin again.")
CANCELLED = tell("The sign-in was cancelled, or you may not use it. Nothing has changed.")
UNKNOWN = tell(
    "You are signed in at the sign-in service, but that opens no page here. Ask the people who run this server for"
    " an account, and tell them the address with which you have signed in."
)
NOT_BELIEVED = tell(
    "The sign-in service did not confirm who you are. Begin again. If that fails, tell the operator."
)
DOWN = tell("The sign-in service does not answer now. Try again in a moment, or use a login link.")
UNUSABLE = tell("The sign-in service and this server do not fit together. Tell the operator, or use a login link.")
SWITCHED_OFF = tell("This server has no sign-in service. Use a login link.")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that has begun.

    ticket   the text to keep in the browser until the person comes back. It is secret
    address  where the person signs in
    """

    ticket: str = field(repr=False)
    address: str


def is_offered(platform: Platform) -> bool:
    """Whether staff can sign in by a provider."""
    return bool(platform.settings.oidc_issuer)


def begin_sign_in(
    platform: Platform, city_id: str, *, back: str, language: str, asks_again: bool, now: datetime
) -> Begun:
    """Begin a sign-in for a city.

    Raises Unavailable if the provider cannot be used, and NotFound if this server has none.

    back        the address on this server to which the provider leads the person
    asks_again  whether the provider asks who the person is, even if it knows that already
    """
    ticket = f"{token_urlsafe(32)}.{int(now.timestamp())}.{city_id}"
    try:
        address = _provider(platform).sign_in_address(
            secrets_of(ticket), back=back, language=language, asks_again=asks_again
        )
    except SignInFailed as error:
        raise _told(error) from None
    return Begun(ticket, address)


def finish_sign_in(
    platform: Platform, ticket: str, answer: Mapping[str, str], *, back: str, now: datetime
) -> Session:
    """Begin a session for the person whom the provider has led back.

    Raises Unauthenticated if the person has cancelled or has no account, or if the sign-in is too old, was not
    begun in this browser, or is not believed. Raises Unavailable if the provider cannot be used, and NotFound if
    this server has none.

    ticket  the text that was kept in the browser
    answer  the parameters with which the provider has led the person back
    """
    provider, secrets = _provider(platform), secrets_of(ticket)
    if answer.get("error"):
        raise _error_of(answer["error"])
    city_id = _city_of(ticket, now)
    is_ours = hmac.compare_digest(answer.get("state", "").encode(), secrets.state.encode())
    if not is_ours or city_id not in platform.registry.jurisdictions:
        raise Unauthenticated(STALE)
    code = answer.get("code", "")
    if not code or len(code) > _MOST_CHARACTERS:
        raise Unauthenticated(STALE)
    claim = platform.settings.oidc_claim
    wanted = (_EMAIL, _VERIFIED) if claim == _EMAIL else (claim,)
    try:
        found = provider.claims(code, secrets, back=back, issuer=answer.get("iss", ""), wanted=wanted, now=now)
    except SignInFailed as error:
        raise _told(error) from None
    return _session_of(platform, city_id, _name_in(found, claim), ignores_case=claim == _EMAIL, now=now)


def sign_out_address(platform: Platform, *, back: str) -> str:
    """Where a person ends the session at the provider; "" if the provider does not offer that, or is down."""
    if not is_offered(platform):
        return ""
    try:
        return _provider(platform).sign_out_address(back=back)
    except SignInFailed:
        return ""


def _session_of(platform: Platform, city_id: str, name: str, *, ignores_case: bool, now: datetime) -> Session:
    """A session of the account with this name. All refusals have one text, which tells nothing about accounts."""
    with platform.database.transaction() as connection:
        holder = accounts.holder_of_name(connection, city_id, name, ignores_case=ignores_case, now=now)
        if not name or holder is None:
            log.warning("somebody without an account has signed in at the provider", city=city_id)
            raise Unauthenticated(UNKNOWN)
        return open_session(connection, platform.settings, holder, "login.provider", now=now)


def _name_in(claims: Mapping[str, Any], claim: str) -> str:
    """The name of the account; "" if the provider tells no usable name, or an address that it has not verified."""
    name = claims.get(claim)
    is_sure = claim != _EMAIL or claims.get(_VERIFIED) in (True, "true")
    return name.strip() if isinstance(name, str) and name.isprintable() and is_sure else ""


def _city_of(ticket: str, now: datetime) -> str:
    """The city for which a sign-in was begun; "" if it is too old, or if there is none."""
    _, _, rest = ticket.partition(".")
    begun, _, city_id = rest.partition(".")
    if not begun.isascii() or not begun.isdigit() or len(begun) > 12:
        return ""
    return city_id if -_CLOCKS_S <= now.timestamp() - int(begun) <= GOOD_FOR_S else ""


def secrets_of(ticket: str) -> Secrets:
    """The secrets of a sign-in. Only the browser has the ticket, and nothing needs to be stored on the server."""
    state, nonce, verifier = (
        hmac.digest(ticket.encode(), name, "sha256").hex() for name in (b"state", b"nonce", b"verifier")
    )
    return Secrets(state=state, nonce=nonce, verifier=verifier)


def _error_of(code: str) -> Unauthenticated | Unavailable:
    """What the person is told about an error of the provider.

    The `state` in the answer is not checked, because no session begins.
    """
    if code in _CANCELLED:
        return Unauthenticated(CANCELLED)
    return Unavailable(DOWN if code in _PASSING else UNUSABLE)


def _told(error: SignInFailed) -> Unauthenticated | Unavailable:
    """What the person is told about a failed sign-in. The log has the cause."""
    log.warning("a sign-in by the provider failed", cause=str(error))
    if isinstance(error, SignInRefused):
        return Unauthenticated(NOT_BELIEVED)
    return Unavailable(DOWN if isinstance(error, ProviderDown) else UNUSABLE)


def _provider(platform: Platform) -> Provider:
    """The provider of the settings. Raises NotFound if there is none."""
    if not is_offered(platform):
        raise NotFound(SWITCHED_OFF)
    return platform.process.cached(_provider_of, most=1)(platform)


def _provider_of(platform: Platform) -> Provider:
    settings = platform.settings
    return Provider(
        OpenIdClient(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            scope=settings.oidc_scope,
            ca=settings.oidc_ca,
            proxy=settings.proxy,
        )
    )
