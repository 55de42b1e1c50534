"""A call to some hosts carries an access token, which is fetched, kept and renewed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from open311.federation.addresses import Guard, host_of
from open311.federation.calls import Call, Limits
from open311.federation.client import (
    ClientCredentials,
    ForbiddenAddress,
    GeoReportClient,
    NewRequest,
    NotAuthorized,
    Refused,
    Unreachable,
)
from open311.federation.oauth import AuthorizedTransport
from open311.federation.transport import Transport
from tests.federation.scripted import QUICK, Reply, Script, as_json, serve

SECRET = "s&cret: 100%"


def token(text: str = "token-1-abcdef", **members: object) -> Reply:
    return as_json({"access_token": text, "token_type": "Bearer", "expires_in": 3600, **members})


def credentials(script: Script, **options: Any) -> ClientCredentials:
    return ClientCredentials(token_url=f"{script.origin}/token", client_id="city", client_secret=SECRET, **options)


def authorized(giver: Script, taker: Script, **options: Any) -> AuthorizedTransport:
    guard = Guard(frozenset({host_of(giver.origin), host_of(taker.origin)}))
    transport = Transport(options.pop("limits", QUICK), guard, pause=lambda _: None)
    asked = credentials(giver, **options.pop("asked", {}))
    return AuthorizedTransport(transport, asked, hosts=[host_of(taker.origin)], **options)


def bearers(script: Script) -> list[str | None]:
    return [each.headers.get("Authorization") for each in script.asked]


def test_a_token_is_fetched_once_and_sent_with_each_call() -> None:
    with serve(token()) as giver, serve(as_json({})) as taker:
        sender = authorized(giver, taker, asked={"scope": "reports", "extra": {"audience": "311"}})
        for _ in range(3):
            sender.send(Call("POST", taker.origin, body=b"{}"))
        [asked] = giver.asked
        assert bearers(taker) == ["Bearer token-1-abcdef"] * 3
    assert dict(asked.form) == {"grant_type": "client_credentials", "scope": "reports", "audience": "311"}
    assert asked.headers["Authorization"] == "Basic Y2l0eTpzJTI2Y3JldCUzQSsxMDAlMjU="


def test_the_secret_is_in_the_body_if_the_server_requires_it() -> None:
    with serve(token()) as giver, serve(as_json({})) as taker:
        authorized(giver, taker, asked={"in_body": True}).send(Call("GET", taker.origin))
        [asked] = giver.asked
    assert (dict(asked.form)["client_id"], dict(asked.form)["client_secret"]) == ("city", SECRET)
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    ("expires_in", "lasts_s"),
    [(3600, 3540), ("3600", 3540), (60, 30), (0, 0), (None, 240), ("soon", 240), (True, 240), (-5, 240)],
)
def test_a_token_is_renewed_shortly_before_it_ends(expires_in: object, lasts_s: float) -> None:
    now = [1000.0]
    replies = (token("token-1-abcdef", expires_in=expires_in), token("token-2-abcdef"))
    with serve(*replies) as giver, serve(as_json({})) as taker:
        sender = authorized(giver, taker, clock=lambda: now[0])
        sender.send(Call("GET", taker.origin))
        now[0] += max(lasts_s - 1, 0)
        sender.send(Call("GET", taker.origin))
        assert len(giver.asked) == (1 if lasts_s else 2)
        now[0] += 1
        sender.send(Call("GET", taker.origin))
        assert bearers(taker)[2] == "Bearer token-2-abcdef"


def test_after_a_401_the_call_is_sent_once_more_with_a_new_token() -> None:
    tokens = (token("token-1-abcdef"), token("token-2-abcdef"))
    with serve(*tokens) as giver, serve(as_json([], 401), as_json({})) as taker:
        assert authorized(giver, taker).send(Call("POST", taker.origin, body=b"{}")).status == 200
        assert bearers(taker) == ["Bearer token-1-abcdef", "Bearer token-2-abcdef"]
        assert [each.body for each in taker.asked] == [b"{}", b"{}"]


def test_a_second_401_with_a_new_token_is_the_answer() -> None:
    with serve(token()) as giver, serve(as_json([], 401)) as taker:
        sender = authorized(giver, taker)
        assert sender.send(Call("GET", taker.origin)).status == 401
        assert (len(giver.asked), len(taker.asked)) == (2, 2)


def test_another_host_gets_no_token() -> None:
    with serve(token()) as giver, serve(as_json({})) as taker, serve(as_json({})) as other:
        guard = Guard(frozenset({host_of(other.origin)}))
        sender = AuthorizedTransport(Transport(QUICK, guard), credentials(giver), hosts=[host_of(taker.origin)])
        assert sender.send(Call("GET", other.origin)).status == 200
        assert bearers(other) == [None]
        assert giver.asked == []


@pytest.mark.parametrize(
    ("reply", "reason", "status"),
    [
        (as_json({"error": "invalid_client", "error_description": SECRET}, 401), "401, invalid_client", 401),
        (as_json({"error": SECRET}, 400), "400, without an error that can be read", 400),
        (as_json([SECRET], 400), "400, without an error", 400),
        (Reply(b"<html>", "text/html", 503, {"Retry-After": "9"}), "503, without an error", 503),
        (Reply(status=302, headers={"Location": "/login"}), "302, without an error", 302),
        (as_json({}), "no access token that can be sent", 200),
        (as_json({"access_token": "a\r\nX: y"}), "no access token that can be sent", 200),
        (as_json({"access_token": 7}), "no access token that can be sent", 200),
        (token(token_type="mac"), "another type", 200),
        (Reply(b"<html>", "text/html"), "no access token that can be sent", 200),
    ],
)
def test_without_a_token_nothing_is_sent(reply: Reply, reason: str, status: int) -> None:
    with serve(reply) as giver, serve(as_json({})) as taker:
        with pytest.raises(NotAuthorized, match=reason) as caught:
            authorized(giver, taker).send(Call("POST", taker.origin, body=b"{}"))
        assert taker.asked == []
    assert caught.value.status == status
    assert caught.value.retry_after_s == (9 if status == 503 else None)
    assert not caught.value.is_uncertain
    assert SECRET not in f"{caught.value!r}{caught.value}"


def test_after_a_lost_answer_of_the_token_server_the_token_is_requested_again_and_nothing_is_uncertain() -> None:
    lost = Reply(write=lambda out: None)
    with serve(lost) as giver, serve(as_json({})) as taker:
        with pytest.raises(Unreachable) as caught:
            authorized(giver, taker).send(Call("POST", taker.origin, body=b"{}"))
        assert not caught.value.is_uncertain
        giver.replies = [lost, token()]
        assert authorized(giver, taker, limits=Limits(rate_per_s=0, retries=1)).send(Call("GET", taker.origin))


def test_the_client_uses_a_token_and_shows_neither_the_token_nor_the_secret() -> None:
    echo = as_json([{"code": 400, "description": "token-1-abcdef is not for potholes"}], 400)
    echo = Reply(echo.body, status=400, headers={"Warning": '299 - "token-1-abcdef"'})
    with serve(token()) as giver, serve(echo) as taker:
        options = credentials(giver)
        with GeoReportClient(taker.origin, api_key="k", oauth=options, limits=QUICK) as client:
            with pytest.raises(Refused, match="for potholes") as caught:
                client.post_request(NewRequest(service_code="potholes"))
            shown = f"{caught.value!r}{caught.value}{client.warnings}{options!r}{client._transport!r}"
        assert bearers(taker) == ["Bearer token-1-abcdef"]
    assert "token-1" not in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("url", "secret", "reason"),
    [
        ("http://auth.example/token", SECRET, "must be https"),
        ("https://u:p@auth.example/token", SECRET, "without a user"),
        ("https://auth.example/token", "", "empty"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused(url: str, secret: str, reason: str) -> None:
    with pytest.raises((ValueError, ForbiddenAddress), match=reason) as caught:
        ClientCredentials(token_url=url, client_id="city", client_secret=secret)
    assert SECRET not in str(caught.value)


def test_a_token_answer_whose_media_type_has_a_charset_is_read() -> None:
    reply = Reply(json.dumps({"access_token": "token-1-abcdef"}).encode(), "application/json;charset=UTF-8")
    with serve(reply) as giver, serve(as_json({})) as taker:
        assert authorized(giver, taker).send(Call("GET", taker.origin)).status == 200
