"""A chatbot lists services, sends reports and reads their state, by the calls that a client of the tools makes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from flask import Flask
from mcp import StdioServerParameters
from mcp.client.client import Client

from open311.chatbots.city_api import CityApi
from open311.chatbots.confirming import VALID_FOR
from open311.chatbots.serving import make_server
from open311.chatbots.tools import TOOLS
from open311.clock import utc_now
from open311.domain.access import Role
from open311.operations.platform import Platform
from tests import ports
from tests.checked_client import platform_of
from tests.conformance.servers import serve_thread
from tests.desk import Desk
from tests.processes import is_listening
from tests.waiting import until

WHERE = {"lat": 60.17, "long": 24.94}
HOLE = {"service_code": "potholes", "description": "A deep hole at the corner", **WHERE}


class Chatbot:
    """A scripted chatbot: it calls tools, and keeps all that it was told."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.heard = ""

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a tool."""
        result = self._ask(tool, arguments)
        assert not result.is_error, result.content[0].text
        return dict(result.structured_content)

    def refused(self, tool: str, **arguments: Any) -> str:
        """The sentence with which a tool refuses a call."""
        result = self._ask(tool, arguments)
        assert result.is_error, result.structured_content
        return str(result.content[0].text)

    def report(self, **fields: Any) -> str:
        """Report as a chatbot must: a draft, the person's yes, the report. Returns the id."""
        draft = self.call("report", **fields)
        assert draft["sent"] is False
        return str(self.call("report", **fields, confirmation=draft["confirmation"])["service_request_id"])

    def _ask(self, tool: str, arguments: dict[str, Any]) -> Any:
        async def ask() -> Any:
            async with Client(self.server) as client:
                return await client.call_tool(tool, arguments)

        result = anyio.run(ask)
        self.heard += " ".join(part.text for part in result.content)
        return result


@pytest.fixture
def origin(app: Flask) -> Iterator[str]:
    """The origin of a server with the demo city."""
    with serve_thread(app) as found:
        yield found


@pytest.fixture
def api(origin: str, key: str) -> CityApi:
    return CityApi(f"{origin}/open311/v2", "city.example", key)


@pytest.fixture
def bot(api: CityApi) -> Chatbot:
    return Chatbot(make_server(api))


@pytest.fixture
def desk(app: Flask) -> Desk:
    return Desk.of(app.test_client(), platform_of(app), role=Role.DISPATCHER)


def posted(platform: Platform) -> int:
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one())


# --- A conversation


def test_a_person_reports_and_asks_for_the_state_of_the_report(bot: Chatbot, desk: Desk) -> None:
    services = bot.call("list_services", search="pothole")["services"]
    assert [one["service_code"] for one in services] == ["potholes"]
    assert bot.call("nearby_requests", service_code="potholes", **WHERE) == {"requests": [], "found": 0}
    number = bot.report(**HOLE)
    assert bot.call("nearby_requests", service_code="potholes", **WHERE)["found"] == 1
    told = bot.call("request_status", service_request_id=number)
    assert told["status"] == "open"
    assert told["summary"].startswith(f"Request {number} (")
    desk.post(f"/requests/{number}/close", {"outcome": "not_found", "note": "We looked twice, no hole there."})
    told = bot.call("request_status", service_request_id=number)
    assert told["outcome"] == "not_found"
    assert "the problem was not found" in told["summary"]
    assert "The record does not say that the problem was fixed." in told["summary"]
    assert "“We looked twice, no hole there.”" in told["summary"]


@pytest.mark.parametrize("outcome", ["fixed", "not_found", "duplicate", "cannot_do", "referred", "no_access"])
def test_fixed_is_said_only_if_the_outcome_is_fixed(bot: Chatbot, desk: Desk, outcome: str) -> None:
    number = bot.report(**HOLE)
    answer = desk.post(f"/requests/{number}/close", {"outcome": outcome, "note": "Done for us."})
    assert answer.status_code == 200, answer.text
    told = bot.call("request_status", service_request_id=number)["summary"]
    says_fixed = "Outcome: fixed." in told
    assert says_fixed == (outcome == "fixed")
    assert ("does not say that the problem was fixed" in told) != says_fixed


def test_services_are_suggested_for_a_sentence(bot: Chatbot) -> None:
    found = bot.call("suggest_services", sentence="there is a huge crater in the road")
    assert "potholes" in [one["service_code"] for one in found["suggestions"]]
    assert "emergency_number" not in found
    assert "fits these words" in bot.call("suggest_services", sentence="zzxxyy")["none"]
    danger = bot.call("suggest_services", sentence="fire! it smells of gas here")
    assert danger["emergency_number"] == "112"
    assert "before anything else" in danger["first"]


def test_the_citys_own_answers_are_found(bot: Chatbot) -> None:
    [first, *_] = bot.call("find_answers", question="bin not emptied")["answers"]
    assert first["kind"] == "faq"
    assert first["id"] == "bin-not-emptied"
    [spanish, *_] = bot.call("find_answers", question="bin not emptied", language="es")["answers"]
    assert spanish["question"] != first["question"]
    assert "Do not answer from your own knowledge" in bot.call("find_answers", question="zzxxyy")["none"]


def test_statistics_come_with_their_caveat(bot: Chatbot) -> None:
    bot.report(**HOLE)
    found = bot.call("statistics", service_code="potholes", group_by="service")
    assert "rows" in found
    assert "as_of" in found
    assert "reports, not problems" in found["caveat"]


def test_questions_of_a_service_are_passed_on_and_a_draft_names_the_unanswered_ones(bot: Chatbot) -> None:
    services = bot.call("list_services")["services"]
    asked = next(one for one in services if one["has_questions"])["service_code"]
    questions = bot.call("service_questions", service_code=asked)["questions"]
    assert questions
    assert all(one["code"] for one in questions)
    plain = next(one for one in services if not one["has_questions"])["service_code"]
    assert bot.call("service_questions", service_code=plain)["questions"] == []
    draft = bot.call("report", service_code=asked, description="Broken", **WHERE)
    assert {one["code"] for one in draft["unanswered"]} == {one["code"] for one in questions if one["required"]}
    assert "has no question shape" in bot.refused(
        "report", **{**HOLE, "service_code": asked, "answers": {"shape": "x"}}
    )


# --- Reports need a key and a yes


def test_without_a_key_nothing_can_be_reported(api: CityApi, platform: Platform) -> None:
    bot = Chatbot(make_server(replace(api, api_key="")))
    assert "without an api_key" in bot.refused("report", **HOLE)
    assert bot.call("list_services")["found"] > 0
    assert posted(platform) == 0


def test_the_error_for_a_wrong_key_does_not_repeat_the_key(api: CityApi, platform: Platform) -> None:
    bot = Chatbot(make_server(replace(api, api_key="not-a-key-77")))
    draft = bot.call("report", **HOLE)
    told = bot.refused("report", **HOLE, confirmation=draft["confirmation"])
    assert "status 403" in told
    assert "not-a-key-77" not in bot.heard
    assert posted(platform) == 0


def test_without_a_confirmation_nothing_is_sent(bot: Chatbot, platform: Platform) -> None:
    assert bot.call("report", **HOLE)["sent"] is False
    assert "does not belong to this report" in bot.refused("report", **HOLE, confirmation="yes")
    assert "does not belong to this report" in bot.refused("report", **HOLE, confirmation="zz-ff")
    assert posted(platform) == 0


def test_a_confirmation_is_for_one_report_only(bot: Chatbot, platform: Platform) -> None:
    confirmation = bot.call("report", **HOLE)["confirmation"]
    changed = {**HOLE, "description": "Another hole"}
    assert "does not belong to this report" in bot.refused("report", **changed, confirmation=confirmation)
    assert posted(platform) == 0


def test_a_confirmation_expires(bot: Chatbot, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmation = bot.call("report", **HOLE)["confirmation"]
    later = utc_now() + VALID_FOR * 2
    monkeypatch.setattr("open311.chatbots.serving.utc_now", lambda: later)
    assert "too old" in bot.refused("report", **HOLE, confirmation=confirmation)
    assert posted(platform) == 0


def test_a_report_that_is_sent_twice_is_stored_once(bot: Chatbot, platform: Platform) -> None:
    confirmation = bot.call("report", **HOLE)["confirmation"]
    sent = [bot.call("report", **HOLE, confirmation=confirmation) for _ in range(3)]
    assert len({one["service_request_id"] for one in sent}) == 1
    assert posted(platform) == 1


# --- What a chatbot may send


@pytest.mark.parametrize("name", ["email", "phone", "first_name", "device_id", "api_key", "status"])
def test_an_unknown_argument_is_named(bot: Chatbot, name: str) -> None:
    assert bot.refused("report", **HOLE, **{name: "x"}) == f"{name}: this tool has no such argument; leave it out"


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("report", {}, "service_code: "),
        ("report", {**HOLE, "lat": 91}, "lat: "),
        ("report", {**HOLE, "lat": "north"}, "lat: "),
        ("report", {**HOLE, "description": "x" * 4001}, "description: "),
        ("report", {"service_code": "potholes", "description": "x", "lat": 1.0}, "lat and long"),
        ("report", {"service_code": "potholes", "description": "x"}, "Say where it is"),
        ("report", {**HOLE, "service_code": "nothing"}, "no service 'nothing'"),
        ("service_questions", {"service_code": "../../staff"}, "no service '../../staff'"),
        ("request_status", {"service_request_id": "99999"}, "no request '99999'"),
        ("request_status", {"service_request_id": "1,2"}, "no request '1,2'"),
        ("list_services", {"language": "x; drop"}, "language: "),
        ("statistics", {"group_by": "secret"}, "group_by: "),
        ("statistics", {"service_code": "nothing"}, "no service 'nothing'"),
        ("statistics", {"area": "Nowhere"}, "no area 'Nowhere'. Its areas are: "),
        ("report", {**HOLE, "lat": True}, "lat: "),
        ("statistics", {"start_date": "2026-99-99"}, "status 400"),
        ("nearby_requests", {"service_code": "nothing", **WHERE}, "status 404"),
        ("delete_everything", {}, "There is no tool 'delete_everything'. The tools are list_services"),
    ],
)
def test_a_wrong_argument_is_named(bot: Chatbot, tool: str, arguments: dict[str, Any], told: str) -> None:
    assert told in bot.refused(tool, **arguments)


def test_a_city_that_is_down_is_reported(key: str) -> None:
    bot = Chatbot(make_server(CityApi(f"http://127.0.0.1:{ports.free_port()}/open311/v2", "city.example", key)))
    for tool in ("list_services", "statistics"):
        assert bot.refused(tool) == "The city's server cannot be reached. Try again in some minutes."


# --- What a chatbot gets to know


def test_no_personal_data_reaches_a_chatbot(bot: Chatbot, desk: Desk, post: Any) -> None:
    planted = {
        "first_name": "Wilhelmina",
        "email": "mina@home.example",
        "phone": "+1 555 0100",
        "device_id": "dev-8",
    }
    answer = post(
        **planted, service_code="potholes", description="Hole, call 555-0199 or mina@home.example", **WHERE
    )
    number = answer.json[0]["service_request_id"]
    desk.post(f"/requests/{number}/note", {"text": "Internal: the reporter is Wilhelmina"})
    bot.call("request_status", service_request_id=number)
    bot.call("nearby_requests", service_code="potholes", **WHERE)
    bot.call("statistics")
    for secret in (*planted.values(), "555-0199", "Internal", "ada"):
        assert not re.search(rf"\b{re.escape(secret)}\b", bot.heard), secret


def test_a_chatbot_is_told_how_to_behave(api: CityApi) -> None:
    async def look() -> tuple[Any, list[Any]]:
        async with Client(make_server(api)) as client:
            return client.instructions, (await client.list_tools()).tools

    instructions, tools = anyio.run(look)
    assert 'only if `outcome` is "fixed"' in instructions
    assert [one.name for one in tools] == [one.name for one in TOOLS]
    assert [one.name for one in tools if not one.annotations.read_only_hint] == ["report"]
    for tool in tools:
        assert tool.description
        assert tool.input_schema["additionalProperties"] is False


# --- The two transports


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "open311", "mcp", *arguments]


@contextmanager
def served(*arguments: str) -> Iterator[int]:
    """A process that serves over HTTP. Returns its port."""
    port = ports.free_port()
    process = subprocess.Popen(
        [*command("--http", "--port", str(port)), *arguments], stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: is_listening(port) or process.poll() is not None, "the server listens")
        yield port
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM, errors
    assert "Traceback" not in errors


def test_a_chatbot_talks_over_standard_input_and_output(origin: str, key: str) -> None:
    [program, *rest] = command("--url", f"{origin}/open311/v2", "--key-env", "CHATBOT_KEY")
    environment = {**os.environ, "CHATBOT_KEY": key}
    bot = Chatbot(StdioServerParameters(command=program, args=rest, env=environment))
    assert bot.call("request_status", service_request_id=bot.report(**HOLE))["status"] == "open"


def test_over_http_each_caller_sends_its_own_key(origin: str, key: str, platform: Platform) -> None:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def ask(port: int, arguments: dict[str, Any], **headers: str) -> Any:
        url = f"http://127.0.0.1:{port}/mcp"
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            return await client.call_tool("report", arguments)

    with served("--url", f"{origin}/open311/v2") as port:
        refused = anyio.run(ask, port, HOLE)
        assert refused.is_error
        assert "without an api_key" in refused.content[0].text

        async def whole() -> Any:
            draft = await ask(port, HOLE, **{"X-Api-Key": key})
            again = {**HOLE, "confirmation": draft.structured_content["confirmation"]}
            return await ask(port, again, **{"X-Api-Key": key})

        assert anyio.run(whole).structured_content["sent"] is True
    assert posted(platform) == 1


def test_a_page_of_another_site_cannot_call_the_server(origin: str) -> None:
    import requests

    with served("--url", f"{origin}/open311/v2", "--public-host", "bot.example") as port:
        url = f"http://127.0.0.1:{port}/mcp"
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = {"Accept": "application/json, text/event-stream"}

        def status(**headers: str) -> int:
            return requests.post(url, json=body, headers=accept | headers, timeout=10).status_code

        assert status(Host="evil.example") == 421
        assert status(Origin="https://evil.example") == 403
        assert status(Host="bot.example") == 200
        assert requests.post(url, data="x" * 200_000, headers=accept, timeout=10).status_code == 413


def test_over_http_nobody_can_open_a_stream_that_never_ends(origin: str) -> None:
    import requests

    with served("--url", f"{origin}/open311/v2") as port:
        for method in ("GET", "DELETE", "PUT"):
            accept = {"Accept": "text/event-stream"}
            answer = requests.request(method, f"http://127.0.0.1:{port}/mcp", headers=accept, timeout=10)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--http", "--key-env", "X"], "each caller sends its own key"),
        (["--key-env", "X", "--key-file", "y"], "not both"),
        (["--key-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (["--public-host", "bot.example"], "--public-host is for --http"),
    ],
)
def test_options_that_contradict_are_named(arguments: list[str], told: str) -> None:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
