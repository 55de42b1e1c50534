"""Webhooks are signed and verified as Standard Webhooks defines it, also by the library of its authors."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from open311.clock import utc_now
from open311.federation.signing import (
    BadSecret,
    BadSignature,
    MissingHeader,
    TooNew,
    TooOld,
    UnreadableHeader,
    WrongSignature,
    sign,
    verify,
)
from open311.outgoing import key_of

# The vector of the tests of the published libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SIGNED = datetime.fromtimestamp(1614265330, UTC)
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_the_published_vector_is_made_and_verified() -> None:
    assert sign(BODY, HEADERS["webhook-id"], secrets=[SECRET], now=SIGNED) == HEADERS
    assert verify(BODY, HEADERS, secrets=[SECRET], now=SIGNED) == HEADERS["webhook-id"]


def test_names_of_headers_may_have_any_case() -> None:
    titled = {name.title(): value for name, value in HEADERS.items()}
    assert verify(BODY, titled, secrets=[SECRET], now=SIGNED)


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_a_receiver_with_either_secret_accepts_a_webhook_while_the_secret_is_rotated(secret: str) -> None:
    headers = sign(BODY, "m-1", secrets=[OTHER, SECRET], now=utc_now())
    assert headers["webhook-signature"].count("v1,") == 2
    assert verify(BODY, headers, secrets=[secret], now=utc_now()) == "m-1"
    assert Webhook(secret).verify(BODY, headers) == {"test": 2432232314}


def test_a_receiver_with_both_secrets_accepts_either() -> None:
    for secret in (SECRET, OTHER):
        headers = sign(BODY, "m-1", secrets=[secret], now=SIGNED)
        assert verify(BODY, headers, secrets=[SECRET, OTHER], now=SIGNED) == "m-1"


@given(st.text(st.characters(codec="utf-8")))
def test_we_and_the_library_accept_each_other(text: str) -> None:
    now, body = utc_now(), text.encode()
    Webhook(SECRET).verify(body, sign(body, "m-1", secrets=[SECRET], now=now), json_parse=False)
    theirs = Webhook(SECRET).sign("m-2", now, text)
    headers = {
        "webhook-id": "m-2",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": f"v1a,x {theirs}",
    }
    assert verify(body, headers, secrets=[SECRET], now=now) == "m-2"


def test_the_library_refuses_a_changed_body() -> None:
    headers = sign(BODY, "m-1", secrets=[SECRET], now=utc_now())
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", headers)


def test_bytes_that_are_not_utf_8_can_be_signed() -> None:
    headers = sign(b"\xff\x00", "m-1", secrets=[SECRET], now=SIGNED)
    assert verify(b"\xff\x00", headers, secrets=[SECRET], now=SIGNED)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in HEADERS.items() if key != name}


@pytest.mark.parametrize(
    ("headers", "error", "reason"),
    [
        ({}, MissingHeader, "webhook-id, webhook-timestamp, webhook-signature"),
        (without("webhook-id"), MissingHeader, "no webhook-id"),
        (without("webhook-timestamp"), MissingHeader, "no webhook-timestamp"),
        (HEADERS | {"webhook-signature": "  "}, MissingHeader, "no webhook-signature"),
        (HEADERS | {"webhook-id": "a.b"}, UnreadableHeader, "full stop"),
        (HEADERS | {"webhook-id": "ü"}, UnreadableHeader, "ASCII"),
        (HEADERS | {"webhook-timestamp": "2021-02-25T15:02:10Z"}, UnreadableHeader, "seconds"),
        (HEADERS | {"webhook-timestamp": "-1614265330"}, UnreadableHeader, "seconds"),
        (HEADERS | {"webhook-timestamp": "9" * 5000}, UnreadableHeader, "seconds"),
        (HEADERS | {"webhook-timestamp": "١٦١٤٢٦٥٣٣٠"}, UnreadableHeader, "seconds"),
        (HEADERS | {"webhook-signature": "v1a,abcd"}, UnreadableHeader, "version v1"),
        (HEADERS | {"webhook-signature": "g0hM9SsE+OTP"}, UnreadableHeader, "version v1"),
        (HEADERS | {"webhook-signature": "v1,ü"}, UnreadableHeader, "characters"),
        (HEADERS | {"webhook-signature": "v1,"}, WrongSignature, "no signature fits"),
        (HEADERS | {"webhook-signature": "v1,???"}, WrongSignature, "no signature fits"),
        (HEADERS | {"webhook-id": "another"}, WrongSignature, "no signature fits"),
        (HEADERS | {"webhook-timestamp": "1614265331"}, WrongSignature, "no signature fits"),
    ],
)
def test_each_failure_has_its_own_error(headers: dict[str, str], error: type[BadSignature], reason: str) -> None:
    with pytest.raises(error, match=reason) as caught:
        verify(BODY, headers, secrets=[SECRET], now=SIGNED)
    assert type(caught.value) is error
    assert "g0hM" not in str(caught.value)


@pytest.mark.parametrize(("body", "secret"), [(BODY + b" ", SECRET), (BODY, OTHER)])
def test_another_body_or_secret_is_a_wrong_signature(body: bytes, secret: str) -> None:
    with pytest.raises(WrongSignature):
        verify(body, HEADERS, secrets=[secret], now=SIGNED)


def test_the_tolerance_counts_in_both_directions() -> None:
    for seconds in (-60, 60):
        now = SIGNED + timedelta(seconds=seconds)
        assert verify(BODY, HEADERS, secrets=[SECRET], now=now, tolerance_s=60)
    with pytest.raises(TooOld, match="61 seconds ago; at most 60"):
        verify(BODY, HEADERS, secrets=[SECRET], now=SIGNED + timedelta(seconds=61), tolerance_s=60)
    with pytest.raises(TooNew, match="61 seconds from now"):
        verify(BODY, HEADERS, secrets=[SECRET], now=SIGNED - timedelta(seconds=61), tolerance_s=60)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "begin with whsec_"),
        (SECRET.removeprefix("whsec_"), "begin with whsec_"),
        ("whsec_", "0"),
        ("whsec_" + "A" * 20, "stands for 15"),
        ("whsec_" + "A" * 200, "stands for 150"),
        ("whsec_MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw", "base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", "base64"),
        ("whsec_ü", "base64"),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_without_being_shown(secret: str, reason: str) -> None:
    with pytest.raises(BadSecret, match=reason) as caught:
        key_of(secret)
    assert "MfKQ" not in str(caught.value)
    with pytest.raises(BadSecret):
        sign(BODY, "m-1", secrets=[SECRET, secret], now=SIGNED)


def test_a_secret_without_padding_is_the_same_secret() -> None:
    assert sign(BODY, "m", secrets=[OTHER], now=SIGNED) == sign(BODY, "m", secrets=[OTHER.rstrip("=")], now=SIGNED)


@pytest.mark.parametrize("secrets", [[], SECRET])
def test_an_empty_list_and_a_bare_text_of_secrets_are_refused(secrets: list[str]) -> None:
    with pytest.raises(BadSecret):
        verify(BODY, HEADERS, secrets=secrets, now=SIGNED)


@pytest.mark.parametrize("webhook_id", ["", "a.b", "a b", "a\r\nx: y", "ü", "x" * 256])
def test_an_id_that_standard_webhooks_or_this_server_does_not_allow_is_refused(webhook_id: str) -> None:
    with pytest.raises(ValueError, match="webhook_id"):
        sign(BODY, webhook_id, secrets=[SECRET], now=SIGNED)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        sign(BODY, "m", secrets=[SECRET], now=SIGNED.replace(tzinfo=None))
