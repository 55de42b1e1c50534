"""Commands about blocks, keys and the links of reporters."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from open311.cli import main

Run = Callable[..., Result]
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}


@pytest.fixture
def run(shell: None, client: FlaskClient) -> Run:
    """Runs commands with the tests' database and only the demo city."""
    return lambda *arguments: CliRunner().invoke(main, list(arguments), prog_name="open311")


def test_a_block_is_added_shown_and_removed(run: Run) -> None:
    added = run("blocks", "add", "address", "203.0.113.0/24", "--reason", "Spam wave.", "--days", "7")
    assert added.exit_code == 0, added.output
    number = re.findall(r"Block (\d+): reports of address 203\.0\.113\.0/24 are held until", added.output)[0]
    listed = run("blocks", "list").output
    assert "203.0.113.0/24" in listed
    assert "Spam wave." in listed
    assert run("blocks", "remove", number, "--reason", "Over.").exit_code == 0
    again = run("blocks", "remove", number, "--reason", "Over.")
    assert again.exit_code == 1
    assert f"{number} is no block here. See `open311 blocks list`." in again.output


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("127.0.0.0/4", "has too many addresses; one block has at most a /16 of IPv4 or a /32 of IPv6"),
        ("2001:db8::/31", "has too many addresses"),
        ("203.0.113.9/24", "does not begin a range; send 203.0.113.0/24 for the whole range"),
        ("2001:db8::1/64", "does not begin a range; send 2001:db8::/64"),
    ],
)
def test_a_range_that_may_be_a_mistake_is_refused(run: Run, value: str, message: str) -> None:
    refused = run("blocks", "add", "address", value, "--reason", "Spam wave.")
    assert refused.exit_code == 1
    assert message in " ".join(refused.output.split())
    assert value not in run("blocks", "list").output


def test_a_blocked_email_is_not_shown(run: Run) -> None:
    run("blocks", "add", "email", "spam@mail.example", "--reason", "Insults.", "--days", "0")
    listed = run("blocks", "list").output
    assert "mail.example" not in listed
    assert "email" in listed


def test_a_faulty_block_is_refused(run: Run) -> None:
    for arguments in (
        ("address", "x", "--reason", "y"),
        ("email", "x", "--reason", "y"),
        ("key", "0", "--reason", "y"),
    ):
        assert run("blocks", "add", *arguments).exit_code == 1
    assert run("blocks", "add", "person", "x", "--reason", "y").exit_code == 2
    assert run("blocks", "add", "device", "x").exit_code == 2


def test_a_key_gets_a_notice_and_is_suspended_and_resumed(run: Run, client: FlaskClient) -> None:
    made = run("keys", "add", "--label", "Old app").output
    number, secret = re.findall(r"Key (\d+) ", made)[0], made.strip().splitlines()[-1]
    form = FORM | {"api_key": secret}
    assert "are told: Please update." in run("keys", "notice", number, "Please update.").output
    assert "Please update." in client.post("/open311/v2/requests.json", data=form).text
    assert run("keys", "suspend", number, "--reason", "Broken.").exit_code == 0
    assert client.post("/open311/v2/requests.json", data=form).status_code == 403
    assert "Broken." in run("keys", "list").output
    assert run("keys", "resume", number).exit_code == 0
    assert client.post("/open311/v2/requests.json", data=form).status_code == 200
    for command in (("notice", "999999", "x"), ("suspend", "999999", "--reason", "x"), ("resume", "999999")):
        assert run("keys", *command).exit_code == 1


def test_links_are_renewed_and_revoked(run: Run, client: FlaskClient, key: str) -> None:
    name = client.post("/open311/v2/requests.json", data=FORM | {"api_key": key}).json[0]["service_request_id"]
    link = run("requests", "renew-link", name).output.strip()
    assert client.get(link).json[0]["service_request_id"] == name
    assert "1 link is ended." in run("requests", "revoke-links", name).output
    assert client.get(link).status_code == 404
    assert run("requests", "renew-link", "nothing").exit_code == 1


def test_a_suspected_report_and_a_suspected_update_are_decided_in_the_shell(
    run: Run, client: FlaskClient, key: str
) -> None:
    path = "/open311/v2"
    public = client.post(f"{path}/requests.json", data=FORM | {"api_key": key}).json[0]["service_request_id"]
    assert run("blocks", "add", "email", "spam@mail.example", "--reason", "Insults.").exit_code == 0
    spam = {"api_key": key, "email": "spam@mail.example"}
    held = client.post(f"{path}/requests.json", data=FORM | spam).json[0]["service_request_id"]
    update = {"service_request_id": public, "status": "OPEN", "updated_datetime": "2026-03-01T12:00:00Z"}
    for number in ("1", "2"):
        sent = spam | update | {"update_id": number, "description": f"Text {number}."}
        assert client.post(f"{path}/servicerequestupdates.json", data=sent).status_code == 200
    found = run("requests", "list", "--suspected").output
    assert held in found
    assert public in found
    dropped = run("requests", "drop", held, "--reason", "Spam.")
    assert (dropped.exit_code, dropped.output) == (0, f"{held} is dropped: hidden and closed.\n")
    assert run("requests", "drop", public, "--reason", "Spam.").exit_code == 1
    released = run("requests", "release-update", public, "2", "--reason", "A school.")
    assert released.output == "The update of version 2 counts as a comment now.\n"
    assert run("requests", "drop-update", public, "3", "--reason", "Spam.").exit_code == 0
    again = run("requests", "drop-update", public, "3", "--reason", "Spam.")
    assert (again.exit_code, "'3' is not the version of an update that waits" in again.output) == (1, True)
    assert public not in run("requests", "list", "--suspected").output
