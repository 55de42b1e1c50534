"""The kit finds the faults of a back end. It finds no fault in the server's own kinds of back ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from open311.domain.case import Case, RemoteUpdate
from open311.domain.results import Accepted, Rejected, Result, Retry
from open311.federation.backends.email import EmailBackend
from open311.federation.backends.file import FileBackend
from open311.federation.backends.open311 import Open311Backend
from open311.federation.backends.webhook import WebhookBackend
from open311.plugins.backends import Backend, HttpConfig, Page, Secret
from open311.plugins.context import CallFailed, Context
from open311.plugins.declared.backends import HttpTable, SecretSource
from open311.plugins.documents import case_document, read_update
from open311.plugins.testing import Exchange, check_backend
from tests import world

SHARED = ["description", "address", "answers", "media", "notes", "email", "first_name", "last_name", "phone"]


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKS_KEY", "the-secret-of-the-works")
    monkeypatch.setenv("HOOK_SECRET", world.SECRET)


# --- The kinds of the server


def test_the_kind_open311_is_sound() -> None:
    request = [{"service_request_id": "W-1", "service_notice": "", "account_id": ""}]
    listed = [{"service_request_id": "W-1", "status": "open", "service_code": "pothole"}]
    trial = check_backend(
        Open311Backend,
        {
            "url": "{url}/v2",
            "api_key": {"env": "WORKS_KEY"},
            "shared": SHARED,
            "takes_updates": True,
            "looks_up": True,
            "reference_name": "service_request_id_ext",
            "honours_keys": True,
        },
        [
            Exchange(call="POST /v2/requests.json", body=request),
            Exchange(call="POST /v2/servicerequestupdates.json", body=[{"update_id": "7"}]),
            Exchange(call="GET /v2/requests.json", body=listed),
            Exchange(call="GET /v2/requests.json", body=[]),  # no request has this reference
            Exchange(call="GET /v2/services.json", body=[]),
        ],
    )
    assert trial.results["send"] == trial.results["look_up"] == Accepted("W-1")
    assert b"the-secret-of-the-works" in trial.received[0].body


LOOK = Exchange(call="GET /hook", status=405)
"""A receiver that knows only POST."""


def test_the_kind_webhook_is_sound() -> None:
    config: dict[str, Any] = {"url": "{url}/hook", "secret": {"env": "HOOK_SECRET"}, "shared": SHARED}
    hook = Exchange(call="POST /hook", body={"service_request_id": "W-1"})
    trial = check_backend(WebhookBackend, config | {"honours_keys": True}, [hook, LOOK])
    assert trial.results["send"] == Accepted("W-1")
    assert trial.received[0].json()["data"]["reference"] == "2026-0000012"


def test_the_kind_webhook_with_tokens_is_sound() -> None:
    config: dict[str, Any] = {"url": "{url}/hook", "secret": {"env": "HOOK_SECRET"}, "token_path": "/{token}"}
    config["oauth"] = {"token_url": "{url}/oauth", "client_id": "city", "client_secret": {"env": "WORKS_KEY"}}
    granted = {"access_token": "token-1-abcdef", "token_type": "Bearer"}
    trial = check_backend(
        WebhookBackend,
        config,
        [
            Exchange(call="POST /oauth", body=granted, changes=False),
            Exchange(call="POST /hook", body={"token": "t-1"}),
            Exchange(call="GET /hook/t-1", body={"service_request_id": "W-1"}),
            LOOK,
        ],
    )
    assert trial.results["resolve"] == Accepted("W-1")


def test_the_kind_email_is_sound() -> None:
    trial = check_backend(EmailBackend, {"to": ["works@test.example"], "shared": SHARED})
    assert [letter.answer for letter in trial.letters] == ["", f"<{trial.letters[0].id}@kit.example>"]


@pytest.mark.parametrize("format", ["csv", "xml"])
def test_the_kind_file_is_sound(tmp_path: Path, format: str) -> None:
    check_backend(FileBackend, {"folder": str(tmp_path), "format": format, "shared": SHARED})
    assert len(list(tmp_path.iterdir())) == 2


# --- What the kit finds


@dataclass(frozen=True, kw_only=True)
class OddConfig(HttpConfig):
    token: Secret = Secret()


class OddTable(HttpTable):
    makes = OddConfig

    token = SecretSource("A secret")


class Odd(Backend):
    """A back end without faults. Each test replaces some of its members by faulty members."""

    table = OddTable

    def __init__(self, config: OddConfig, context: Context) -> None:
        super().__init__(config, context)
        self.http = context.open_http(config)
        self.token = config.token.read()

    def send(self, case: Case, key: str) -> Result:
        return self.http.send(
            "POST", "/cases", body=str(case_document(case)).encode(), headers={"X-Key": key}
        ).result()

    def look_up(self, case: Case, key: str) -> Accepted | None:
        answer = self.http.send("GET", "/cases")
        if not answer.is_ok:
            raise CallFailed(answer.result())
        if answer.json() is None:
            raise CallFailed(answer.unreadable())
        return Accepted("W-1")

    def updates(self, cursor: str) -> Page:
        answer = self.http.send("GET", "/updates")
        if not answer.is_ok:
            raise CallFailed(answer.result())
        records = answer.json()
        if records is None:
            raise CallFailed(answer.unreadable())
        return Page([read_update(one) for one in records], "1")


CALLS = (
    Exchange(call="POST /cases", body={}),
    Exchange(call="GET /cases", body={}),
    Exchange(
        call="GET /updates", body=[{"update_id": "1", "reference": "R"}, {"update_id": "2", "reference": "R"}]
    ),
)


def faults_of(config: Mapping[str, Any] | None = None, **members: Any) -> str:
    """The faults that the kit finds if `Odd` gets these members."""
    kind = type("Broken", (Odd,), members)
    with pytest.raises(AssertionError) as caught:
        check_backend(kind, config or {"url": "{url}", "token": {"env": "WORKS_KEY"}}, CALLS)
    return str(caught.value)


def test_a_sound_back_end_has_no_fault() -> None:
    kind = type("Sound", (Odd,), {"can_look_up": True, "gives_updates": True, "honours_keys": True})
    trial = check_backend(kind, {"url": "{url}", "token": {"env": "WORKS_KEY"}}, CALLS)
    assert set(trial.results) == {"send", "look_up", "check"}


def test_an_exception_is_found_with_its_place() -> None:
    def send(self: Odd, case: Case, key: str) -> Result:
        raise KeyError(key)

    assert "send raises KeyError (test_backend_kit.py, line" in faults_of(send=send)


def test_the_result_after_a_lost_answer_must_be_uncertain() -> None:
    def send(self: Odd, case: Case, key: str) -> Result:
        try:
            return self.http.send("POST", "/cases", body=b"{}").result()
        except CallFailed:
            return Retry(cause="no answer")

    assert "send, lost at call 1: the back office may have it" in faults_of(send=send)


def test_the_result_after_a_refused_connection_must_not_be_uncertain() -> None:
    def send(self: Odd, case: Case, key: str) -> Result:
        try:
            return self.http.send("POST", "/cases", body=b"{}").result()
        except CallFailed:
            return Retry(cause="no answer", is_uncertain=True)

    assert "send, down at call 1: the back office got nothing" in faults_of(send=send)


def test_a_call_must_end_in_time() -> None:
    def send(self: Odd, case: Case, key: str) -> Result:
        config = replace(self.config, deadline_s=30)
        return self.context.open_http(config).send("POST", "/cases", body=b"{}").result()

    assert "send, slow at call 1: takes more than its deadline_s of 1 seconds" in faults_of(send=send)


def test_a_result_for_an_overloaded_office_must_ask_for_a_pause() -> None:
    def send(self: Odd, case: Case, key: str) -> Result:
        answer = self.http.send("POST", "/cases", body=b"{}")
        return Rejected("no") if answer.status == 429 else answer.result()

    assert "send, busy at call 1: a Retry with the pause of Retry-After is needed" in faults_of(send=send)


def test_a_look_up_without_an_answer_must_not_return_none() -> None:
    def look_up(self: Odd, case: Case, key: str) -> None:
        self.http.send("GET", "/cases")

    assert "look_up, garbled at call 1: it got no answer" in faults_of(look_up=look_up, can_look_up=True)


def test_secrets_and_personal_fields_are_found_wherever_they_are_shown() -> None:
    def quote(self: Odd, case: Case, key: str) -> Result:
        answer = self.http.send("POST", "/cases", body=self.token.encode())
        return (
            answer.result()
            if answer.is_ok
            else Retry(cause=answer.body.decode("utf-8", "replace"), is_uncertain=True)
        )

    def log(self: Odd, case: Case, key: str) -> Result:
        self.context.log.info("sent", case=case.description)
        logging.getLogger("odd").warning(case.reporter.email)
        self.context.store.put("last", case.place.address)
        sys.stdout.write(self.token)
        return Odd.send(self, case, key)

    assert "send, error: the secret WORKS_KEY is in a log" in faults_of(send=quote)
    shared = {"url": "{url}", "token": {"env": "WORKS_KEY"}, "shared": ["description", "address", "email"]}
    found = faults_of(shared, send=log)
    for what in ("secret WORKS_KEY", "field description", "field email", "field address"):
        assert f"send: the {what.replace('field', 'personal field')} is in a log" in found


def test_updates_must_not_depend_on_their_order() -> None:
    def updates(self: Odd, cursor: str) -> Page:
        records = self.http.send("GET", "/updates").json()
        return Page([RemoteUpdate(update_id=f"{n}", reference="R") for n, _ in enumerate(records or [])], "")

    found = faults_of(updates=updates, gives_updates=True)
    assert "updates: a list that is doubled gives other updates" in found
    assert "updates, error at call 1: it got no answer" in found


def test_a_back_end_that_declares_honoured_keys_must_send_the_key() -> None:
    def send(self: Odd, case: Case, key: str) -> Result:
        return self.http.send("POST", "/cases", body=b"{}").result()

    assert "send does not send the key, but honours_keys is true" in faults_of(send=send, honours_keys=True)


def test_faults_in_the_configuration_opening_checking_and_closing_are_found() -> None:
    def opening(self: Odd, config: OddConfig, context: Context) -> None:
        raise ZeroDivisionError

    def close(self: Odd) -> None:
        raise OSError

    def check(self: Odd) -> None:
        self.http.send("GET", "/nowhere")

    assert "url is missing" in faults_of({"token": {"env": "WORKS_KEY"}})
    assert "unknown key 'urls'; did you mean url?" in faults_of({"url": "{url}", "urls": 1})
    assert "api_version is 2" in faults_of(api_version=2)
    assert "cannot be opened: ZeroDivisionError" in faults_of(__init__=opening)
    assert "cannot be closed: OSError" in faults_of(close=close)
    assert "GET /nowhere, which no exchange has" in faults_of(check=check)
    assert "cannot be opened" in faults_of({"url": "{url}", "token": {"env": "NO_SUCH_VARIABLE"}})
