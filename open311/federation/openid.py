"""Sign-in by OpenID Connect: the calls to the provider, and the checks of its answers.

Authlib makes the addresses and checks the claims of the ID token, and joserfc checks its signature. Both are used
without their own HTTP sessions, because calls go through the guard and the limits of `Transport`. Both are
imported where they are used: they need 4 MB, and most servers have no provider. Source: OpenID Connect Core 1.0,
Discovery 1.0 and RP-Initiated Logout 1.0; RFC 7636 and RFC 9207.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

from open311.federation import bodies
from open311.federation.addresses import Guard, host_of
from open311.federation.calls import Answer, Call, Limits, open_transport
from open311.federation.failures import GeoReportError, Unreadable
from open311.federation.tls import Tls, UnusableTls

if TYPE_CHECKING:
    from joserfc import jwt

    from open311.federation.transport import Transport

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
)
"""The signatures that are accepted. All have a public key: nobody can make them with a secret that we know."""
LEEWAY_S = 60
"""How far the clocks of the provider and of this server may differ."""
KEPT_S = 3_600.0
"""How long the provider's document is kept."""
PAUSE_S = 5.0
"""How long nobody calls a provider whose document could not be read. So a failed provider blocks few threads."""
TURN_S = 3.0
"""How long a sign-in waits until another one in this process has had its answer."""
_LIMITS = Limits(timeout_s=5.0, deadline_s=8.0, retries=0, rate_per_s=0.0, max_body_bytes=1_000_000)
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_MOST_KEYS = 50
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_JSON = {"Accept": "application/json"}


class SignInFailed(Exception):
    """Base class. The text is for the operator's log: it has no secret, no claim and no text of the provider."""


class ProviderDown(SignInFailed):
    """The provider gave no answer or an error that may pass, or other sign-ins still wait for the provider.

    The same sign-in may succeed in a moment.
    """


class ProviderUnusable(SignInFailed):
    """The provider's document has a fault, or does not fit the settings. The operator has to do something."""


class SignInRefused(SignInFailed):
    """The provider refuses the code, or its ID token is not valid for this sign-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdClient:
    """How this server is registered at the provider.

    issuer         the provider's address, exactly as the provider writes it
    client_secret  "" for a public client
    scope          what we ask for; always with `openid`
    ca             the file with the authorities that may have signed the provider's certificate; "" for the public
                   authorities
    proxy          the HTTP proxy of outgoing calls; "" for none
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scope: str = "openid email"
    ca: str = ""
    proxy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The random texts of one sign-in, which tie the provider's answer to the browser that began it.

    state     comes back in the address
    nonce     comes back in the ID token
    verifier  shows to the provider that we began the sign-in (PKCE); 43 to 128 characters
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class Provider:
    """The provider of the settings. Many threads may use it; one at a time calls the provider."""

    def __init__(self, client: OpenIdClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self._clock = clock
        self._turn = Lock()
        self._document: Mapping[str, Any] = {}
        self._until_s = 0.0
        self._failure: SignInFailed | None = None

    def sign_in_address(self, secrets: Secrets, *, back: str, language: str, asks_again: bool) -> str:
        """Where the person signs in. Raises ProviderDown or ProviderUnusable.

        back        the address of ours to which the provider leads afterwards
        asks_again  whether the provider asks who the person is, also if the person is signed in there
        """
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        address: str = prepare_grant_uri(
            self._known()["authorization_endpoint"],
            self.client.client_id,
            "code",
            redirect_uri=back,
            scope=self.client.scope,
            state=secrets.state,
            nonce=secrets.nonce,
            code_challenge=create_s256_code_challenge(secrets.verifier),
            code_challenge_method="S256",
            ui_locales=language or None,
            prompt="login" if asks_again else None,
        )
        return address

    def sign_out_address(self, *, back: str) -> str:
        """Where the person ends the session at the provider; "" if the provider does not offer that.

        Raises ProviderDown or ProviderUnusable.
        """
        from authlib.common.urls import add_params_to_uri

        found = self._known().get("end_session_endpoint")
        if not isinstance(found, str) or not self._is_safe(found):
            return ""
        pairs = [("client_id", self.client.client_id), ("post_logout_redirect_uri", back)]
        return str(add_params_to_uri(found, pairs))

    def claims(
        self, code: str, secrets: Secrets, *, back: str, issuer: str, wanted: Collection[str], now: datetime
    ) -> Mapping[str, Any]:
        """The wanted claims about the person who has signed in at the provider. All come from one document.

        code    the parameter `code` of the address to which the provider has led the browser
        issuer  the parameter `iss` of this address
        wanted  names of claims. If the ID token lacks one of them, all are read from the UserInfo endpoint
        Raises ProviderDown, ProviderUnusable or SignInRefused.
        """
        document = self._known()
        self._check_issuer(document, issuer)
        with self._calling() as transport:
            answer = self._sent(transport, self._token_call(document, code, secrets, back))
            tokens = _members(answer)
            if answer.status != 200:
                raise _refusal_of(answer)
            keys = self._fetched(transport, document["jwks_uri"])
            claims = checked_claims(
                tokens.get("id_token"), keys, self.client, nonce=secrets.nonce, tokens=tokens, now=now
            )
            if not all(name in claims for name in wanted):
                claims = self._user_info(transport, document, tokens, claims)
            return {name: claims[name] for name in wanted if name in claims}

    def _check_issuer(self, document: Mapping[str, Any], issuer: str) -> None:
        """Refuse the answer of another provider (RFC 9207)."""
        is_missing = not issuer and document.get("authorization_response_iss_parameter_supported") is True
        if is_missing or issuer not in ("", self.client.issuer):
            raise SignInRefused("the answer is from another issuer, or does not name it")

    def _known(self) -> Mapping[str, Any]:
        """The provider's document, which is kept for an hour."""
        if self._clock() >= self._until_s:
            with self._calling() as transport:
                if self._clock() >= self._until_s:
                    self._read_document(transport)
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))
        return self._document

    def _read_document(self, transport: Transport) -> None:
        address = f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            self._document = self._checked(self._fetched(transport, address))
            self._failure, life_s = None, KEPT_S
        except SignInFailed as error:
            self._failure, life_s = error, PAUSE_S
        self._until_s = self._clock() + life_s

    def _checked(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        if document.get("issuer") != self.client.issuer:
            raise ProviderUnusable("the provider names another issuer than OPEN311_OIDC_ISSUER")
        for name in _ENDPOINTS:
            if not isinstance(document.get(name), str) or not self._is_safe(document[name]):
                raise ProviderUnusable(f"the provider's document has no safe address in {name}")
        return document

    def _is_safe(self, address: str) -> bool:
        """Whether an address is https, or has scheme and host of the issuer, which is http only on the loopback."""
        try:
            parts, own = urlsplit(address), urlsplit(self.client.issuer)
            is_own = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
            return bool(parts.hostname) and (parts.scheme == "https" or is_own)
        except ValueError:
            return False

    @contextmanager
    def _calling(self) -> Iterator[Transport]:
        """A session for calls to the provider. Only one thread of this process has a session at a time.

        Raises ProviderDown if another thread has it for too long, or if a call fails.
        """
        if not self._turn.acquire(timeout=TURN_S):
            raise ProviderDown("other sign-ins of this process still wait for the provider")
        try:
            host, client = host_of(self.client.issuer), self.client
            tls = {host: Tls(ca=client.ca)} if client.ca else {}
            transport = open_transport(_LIMITS, Guard(frozenset({host})), tls=tls, proxy=client.proxy)
            try:
                yield transport
            finally:
                transport.close()
        except (GeoReportError, UnusableTls) as error:
            raise ProviderDown(str(error)) from None
        finally:
            self._turn.release()

    def _sent(self, transport: Transport, call: Call) -> Answer:
        try:
            answer = transport.send(call)
        except GeoReportError as error:
            raise ProviderDown(str(error)) from None
        if answer.status >= 500 or answer.status == 429:
            raise ProviderDown(f"{call} is answered with {answer.status}")
        return answer

    def _fetched(self, transport: Transport, address: str, **headers: str) -> dict[str, Any]:
        answer = self._sent(transport, Call("GET", address, headers=_JSON | headers))
        found = _members(answer)
        if answer.status != 200 or not found:
            raise ProviderUnusable(
                f"GET {urlsplit(address).path} is answered with {answer.status}, or without JSON"
            )
        return found

    def _token_call(self, document: Mapping[str, Any], code: str, secrets: Secrets, back: str) -> Call:
        client, headers = self.client, dict(_JSON)
        data = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", back)]
        data.append(("code_verifier", secrets.verifier))
        ways = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if client.client_secret and "client_secret_basic" in ways:
            pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            data.append(("client_id", client.client_id))
            data += [("client_secret", client.client_secret)] if client.client_secret else []
        return Call("POST", document["token_endpoint"], data=data, headers=headers)

    def _user_info(
        self,
        transport: Transport,
        document: Mapping[str, Any],
        tokens: Mapping[str, Any],
        claims: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The claims of the UserInfo endpoint; none if there is no such endpoint.

        Raises SignInRefused if the answer is about another person.
        """
        address, token = document.get("userinfo_endpoint"), tokens.get("access_token")
        if not isinstance(address, str) or not isinstance(token, str) or not self._is_safe(address):
            return {}
        found = self._fetched(transport, address, Authorization=f"Bearer {token}")
        if found.get("sub") != claims["sub"]:
            raise SignInRefused("the UserInfo endpoint answers about another person")
        return found


def checked_claims(
    id_token: object,
    keys: Mapping[str, Any],
    client: OpenIdClient,
    *,
    nonce: str,
    tokens: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """The claims of an ID token that this provider has made for this sign-in. Raises SignInRefused.

    keys    the provider's JWKS
    tokens  the whole answer of the token endpoint
    """
    from authlib.oidc.core import CodeIDToken
    from joserfc.errors import JoseError

    if not isinstance(id_token, str):
        raise SignInRefused("the provider gave no ID token")
    token = _verified(id_token, keys)
    must = {
        "iss": {"essential": True, "value": client.issuer},
        "aud": {"essential": True, "value": client.client_id},
    }
    params = {"nonce": nonce, "client_id": client.client_id, "access_token": tokens.get("access_token")}
    claims = CodeIDToken(token.claims, token.header, must, params)
    try:
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
    except (JoseError, TypeError, ValueError) as error:
        raise SignInRefused(f"the ID token is not valid: {_named(error)}") from None
    return dict(claims)


def _verified(id_token: str, keys: Mapping[str, Any]) -> jwt.Token:
    """The token, if one of the keys has signed it. Raises SignInRefused."""
    from joserfc import jws, jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    listed = keys.get("keys")
    try:
        header = jws.extract_compact(id_token.encode()).headers()
    except (JoseError, TypeError, ValueError) as error:
        raise SignInRefused(f"the ID token cannot be read: {type(error).__name__}") from None
    cause = "no key of the provider fits"
    for plain in listed[:_MOST_KEYS] if isinstance(listed, list) else ():
        if not _may_have_signed(plain, header.get("kid")):
            continue
        try:
            return jwt.decode(id_token, import_key(plain), algorithms=ALGORITHMS)
        except (JoseError, TypeError, ValueError) as error:
            cause = type(error).__name__
    raise SignInRefused(f"the signature of the ID token is not valid: {cause}")


def _may_have_signed(plain: object, kid: object) -> bool:
    """Whether a key of a JWKS is public, is for signatures, and has the id that the token names."""
    if not isinstance(plain, dict) or plain.get("kty") not in _KEY_TYPES:
        return False
    return plain.get("use", "sig") == "sig" and (kid is None or plain.get("kid") == kid)


def _named(error: Exception) -> str:
    """What is wrong with a token: the kind of the error and the name of the claim, but no value."""
    claim = getattr(error, "claim", "")
    return f"{type(error).__name__} {claim}".strip()


def _members(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer; {} if it has none."""
    try:
        found = bodies.plain(answer.content, "json")
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}


def _refusal_of(answer: Answer) -> SignInFailed:
    """The error of a token endpoint: our registration is wrong, or the code is."""
    code = _members(answer).get("error")
    if code in ("invalid_client", "unauthorized_client") or answer.status in (401, 403):
        return ProviderUnusable("the provider does not accept our client id and secret")
    told = code if code in ("invalid_grant", "invalid_request", "invalid_scope") else "another error"
    return SignInRefused(f"the provider refuses the code: {answer.status}, {told}")
