"""backends.toml: kinds are found by entry point, and each fault is a sentence with its file, table and key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from open311.federation.backends.email import EmailConfig
from open311.federation.backends.file import FileConfig
from open311.federation.backends.webhook import WebhookConfig
from open311.plugins import Misconfigured, Secret, declared
from open311.plugins.backends import kind_fault, kinds, loaded_kinds
from open311.plugins.context import OAuthClient, TlsFiles

CITY = """
id = "city.example"
name = "Yourcity"
time_zone = "UTC"
triage = "desk"
[[departments]]
code = "desk"
name = "Desk"
[[services]]
code = "pothole"
name = "Pothole"
"""
EXAMPLES = """
[[backends]]
name = "works"
kind = "webhook"
url = { env = "WORKS_URL" }
secret = { file = "/run/secrets/works" }
honours_keys = true
headers = { X-City = "yourcity" }
tls = { ca = "/etc/works/ca.pem", cert = "/etc/works/us.pem" }
[backends.oauth]
token_url = "https://login.works.example/token"
client_id = "city"
client_secret = { env = "WORKS_OAUTH" }

[[backends]]
name = "parks"
kind = "email"
to = "Parks <parks@city.example>"
map_url = "https://maps.example/#map=18/{lat}/{long}"

[[backends]]
name = "mainframe"
kind = "file"
folder = "/srv/mainframe/in"
format = "xml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "yourcity"
    folder.mkdir()
    (folder / "jurisdiction.toml").write_text(CITY, encoding="utf-8")
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path. Packages in it count as installed after `kinds.cache_clear`."""
    place = tmp_path / "installed"
    (place / "odd-1.dist-info").mkdir(parents=True)
    (place / "odd-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    monkeypatch.syspath_prepend(str(place))
    forget()
    yield place
    monkeypatch.undo()
    forget()


def forget() -> None:
    kinds.cache_clear()
    loaded_kinds.cache_clear()


def install(place: Path, points: str) -> None:
    (place / "odd-1.dist-info" / "entry_points.txt").write_text(f"[open311.backends]\n{points}\n")
    forget()


def refusal(folder: Path, text: str) -> str:
    """The error message if `backends.toml` has this text."""
    (folder / "backends.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured) as caught:
        declared.load(folder)
    return str(caught.value)


def test_back_ends_of_the_kinds_webhook_email_and_file_are_read(folder: Path) -> None:
    (folder / "backends.toml").write_text(EXAMPLES, encoding="utf-8")
    works, parks, mainframe = declared.load(folder).backends
    assert isinstance(works, WebhookConfig)
    assert (works.url, works.tls) == (Secret(env="WORKS_URL"), TlsFiles("/etc/works/ca.pem", "/etc/works/us.pem"))
    assert works.oauth == OAuthClient(
        token_url="https://login.works.example/token", client_id="city", client_secret=Secret(env="WORKS_OAUTH")
    )
    assert isinstance(parks, EmailConfig)
    assert (parks.to, parks.deadline_s) == (("Parks <parks@city.example>",), 120)
    assert isinstance(mainframe, FileConfig)
    assert (mainframe.folder, mainframe.format) == ("/srv/mainframe/in", "xml")


def test_the_error_for_a_kind_that_is_no_text_names_the_key(folder: Path) -> None:
    message = refusal(folder, '[[backends]]\nname = "works"\nkind = ["file"]\nfolder = "/srv/in"\n')
    assert "kind" in message
    assert "unhashable" not in message


def test_the_folder_of_updates_must_differ_from_the_folder_of_our_files(folder: Path) -> None:
    text = '[[backends]]\nname = "works"\nkind = "file"\nfolder = "/srv/in"\nupdates = "/srv/in/"\n'
    assert "updates" in refusal(folder, text)


HOOK = '[[backends]]\nname = "works"\nkind = "webhook"\nurl = "https://w.example"\nsecret = { env = "S" }\n'
MAIL = '[[backends]]\nname = "parks"\nkind = "email"\nto = ["p@city.example"]\n'
FILE = '[[backends]]\nname = "old"\nkind = "file"\nfolder = "/srv"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HOOK + "honour_keys = true", "backend works: unknown key 'honour_keys'; did you mean honours_keys?"),
        (MAIL + 'subject = "Hole"', "backend parks: unknown key 'subject'; see jurisdictions/README.md."),
        (HOOK.replace('{ env = "S" }', '"whsec_x"'), "backend works: secret must not stand in this file"),
        (HOOK.replace("https://", "ftp://"), "backend works: url must be an address such as https://works"),
        (HOOK.replace("https://", "https://user:word@"), "without a user"),
        (HOOK + 'tls = { ca = "ca.pem" }', "backend works: table tls: ca must be an absolute path"),
        (HOOK + 'tls = { cal = "/ca.pem" }', "backend works: table tls: unknown key 'cal'; did you mean ca?"),
        (HOOK + 'oauth = { client_id = "x" }', "backend works: table oauth: token_url is missing"),
        (HOOK + 'headers = { Authorization = "x" }', "backend works: headers: Authorization is no header"),
        (HOOK + 'headers = { X-City = "a\\nb" }', "backend works: headers: X-City must have visible ASCII"),
        (HOOK + 'token_path = "/tokens"', "backend works: token_path must begin with / and have {token} once"),
        (MAIL.replace("p@city.example", "p@"), "backend parks: to holds 'p@'; a mail address must look like"),
        (MAIL.replace('["p@city.example"]', "[]"), "backend parks: to is empty"),
        (MAIL + 'reply_to = "desk"', "backend parks: reply_to is desk; a mail address must look like"),
        (MAIL + 'map_url = "https://m.example/{lat}"', "backend parks: map_url must be like https://maps.example/"),
        (MAIL + 'map_url = "https://m.example/{lat.real}{long}"', "backend parks: map_url must be like"),
        (FILE.replace("/srv", "srv"), "backend old: folder must be an absolute path, such as /srv/works"),
        (FILE + 'format = "json"', "backend old: format must be one of csv, xml"),
        (FILE.replace("file", "fax"), "backend old: kind 'fax' is not installed; use one of email, file"),
    ],
)
def test_the_error_for_a_fault_names_file_table_and_key(folder: Path, text: str, message: str) -> None:
    found = refusal(folder, text)
    assert found.startswith("yourcity/backends.toml: "), found
    assert message in found


def test_the_error_for_a_fault_of_syntax_names_the_line(folder: Path) -> None:
    assert "line 6" in refusal(folder, HOOK + "honours_keys = yes\n")


def test_the_error_for_a_broken_kind_says_why_and_other_kinds_still_work(folder: Path, installed: Path) -> None:
    (installed / "odd_kinds.py").write_text(
        "from open311.plugins import Backend\n"
        "class Old(Backend):\n    api_version = 0\n    table = object\n"
        "class Bare(Backend):\n    pass\n"
    )
    (installed / "odd_exit.py").write_text("raise SystemExit(1)")
    install(
        installed,
        "gone = odd_gone:Kind\nexits = odd_exit:Kind\nodd-old = odd_kinds:Old\nbare = odd_kinds:Bare\n"
        "number = math:pi\nwebhook = odd_kinds:Old",
    )
    reasons = {
        "gone": "its code raises ModuleNotFoundError",
        "exits": "its code raises SystemExit",
        "odd-old": "it is for version 0 of the interface; this server has version 1",
        "bare": "odd_kinds:Bare has no table with its keys",
        "number": "math:pi is no subclass of Backend",
    }
    for name, reason in reasons.items():
        assert kind_fault(name) == f"kind {name} cannot be used: {reason}"
        assert reason in refusal(folder, FILE.replace('"file"', f'"{name}"'))
    assert kind_fault("webhook").startswith(
        "kind webhook cannot be used: several packages have it: odd_kinds:Old, open"
    )
    assert sorted(kinds()) == ["email", "file", "open311"]
