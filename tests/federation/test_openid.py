"""The checks of an ID token, with tokens that a provider or an attacker could have made."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from open311.federation.openid import LEEWAY_S, OpenIdClient, SignInRefused, checked_claims

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
CLIENT = OpenIdClient(issuer="https://login.city.example", client_id="open311", client_secret="s3cret")
KEY = RSAKey.generate_key(2_048, {"kid": "one", "use": "sig"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "two"})
OTHER = RSAKey.generate_key(2_048, {"kid": "one"})
CLAIMS: dict[str, Any] = {
    "iss": CLIENT.issuer,
    "aud": CLIENT.client_id,
    "sub": "1",
    "iat": NOW_S - 5,
    "exp": NOW_S + 300,
    "nonce": "n0nce",
    "email": "ada@city.example",
}


def jwks(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(key: Key = KEY, alg: str = "RS256", kid: str | None = "one", **changes: Any) -> str:
    """An ID token. A claim that is changed to None is left out."""
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    header = {"alg": alg} | ({"kid": kid} if kid else {})
    return jwt.encode(header, claims, key, algorithms=[alg])


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def read(token: object, keys: Mapping[str, Any], **tokens: Any) -> dict[str, Any]:
    return checked_claims(token, keys, CLIENT, nonce="n0nce", tokens=tokens, now=NOW)


@pytest.mark.parametrize(
    "make",
    [
        signed,
        lambda: signed(kid=None),
        lambda: signed(EC_KEY, "ES256", "two"),
        lambda: signed(aud=["open311"]),
        lambda: signed(aud=["open311", "other"], azp="open311"),
        lambda: signed(exp=NOW_S - LEEWAY_S + 1),
        lambda: signed(iat=NOW_S + LEEWAY_S),
    ],
    ids=["usual", "no key id", "elliptic", "list", "several audiences", "clock is late", "clock is early"],
)
def test_a_good_token_is_accepted(make: Callable[[], str]) -> None:
    strange = {"kty": "unheard-of", "kid": "one"}
    keys = {"keys": [strange, "no key", *jwks(EC_KEY, KEY)["keys"]]}
    assert read(make(), keys)["email"] == "ada@city.example"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": [CLIENT.issuer]},
        {"aud": "another client"},
        {"aud": []},
        {"aud": None},
        {"aud": ["open311", "other"]},
        {"azp": "another client"},
        {"exp": NOW_S - LEEWAY_S},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": NOW_S + LEEWAY_S + 1},
        {"iat": None},
        {"nbf": NOW_S + LEEWAY_S + 1},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["n0nce"]},
        {"sub": None},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignInRefused) as caught:
        read(signed(**changes), jwks(KEY))
    assert "evil" not in str(caught.value)


def test_a_token_with_a_signature_of_others_is_refused() -> None:
    head, body, tail = signed().split(".")
    by_hmac = ".".join([encoded(b'{"alg":"HS256","kid":"one"}'), body])
    mac = hmac.digest(KEY.as_pem(private=False), by_hmac.encode(), "sha256")  # the public key, used as a secret
    tokens = (
        signed(OTHER),
        f"{by_hmac}.{encoded(mac)}",
        signed(OctKey.import_key("s3cret" * 8), "HS256"),
        signed(kid="three"),
        f"{head}.{body}.",
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.{tail[:-8]}AAAAAAAA",
        f"{head}.{body}",
        "",
        "a.b.c",
        "ü.ü.ü",
        None,
        7,
    )
    for token in tokens:
        with pytest.raises(SignInRefused):
            read(token, jwks(KEY))


def test_secret_keys_and_keys_for_another_use_are_not_used() -> None:
    secret = OctKey.generate_key(256, {"kid": "one"})
    encrypting = {"keys": [KEY.as_dict(private=False) | {"use": "enc"}]}
    for key, alg, keys in (
        (secret, "HS256", {"keys": [secret.as_dict(private=True)]}),
        (KEY, "RS256", encrypting),
        (KEY, "RS256", {"keys": None}),
        (KEY, "RS256", {}),
    ):
        with pytest.raises(SignInRefused):
            read(signed(key, alg), keys)


def test_an_access_token_that_does_not_belong_to_the_id_token_is_refused() -> None:
    token = signed(at_hash=create_half_hash("right", "RS256").decode())
    assert read(token, jwks(KEY), access_token="right")
    with pytest.raises(SignInRefused):
        read(token, jwks(KEY), access_token="wrong")
