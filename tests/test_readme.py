"""The README is correct: a shell runs every command of its tour against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.routing import Rule

from open311.app import create_app
from open311.clock import utc_now
from open311.operations.access.api_keys import add_key
from open311.plugins.registry import load_registry
from open311.settings import Settings
from spec.bodies import deviations, same_data
from spec.shapes import Kind
from tests.checked_client import kind_of, platform_of
from tests.ports import free_port

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CURL = shutil.which("curl")
STATUS = re.compile(r"\b[345]\d\d\b")

RECORDING_CURL = """# This program runs curl, and writes the answer and curl's report to files.
import pathlib, subprocess, sys
calls = pathlib.Path({calls!r})
number = len(list(calls.glob("*.json")))
body, report = calls / f"{{number:03}}.body", calls / f"{{number:03}}.json"
body.touch()
arguments = [word for word in sys.argv[1:] if word != "-i"]
ending = ["--silent", "--show-error", "--globoff", "--output", str(body), "--write-out", "%{{json}}"]
done = subprocess.run([{curl!r}, *arguments, *ending], stdout=report.open("wb"))
sys.stdout.buffer.write(body.read_bytes())
sys.exit(done.returncode)
"""


@dataclass(frozen=True)
class Call:
    """One curl command of the tour: the command, the answer, and the status that the README names."""

    line: str
    method: str
    url: str
    status: int
    promised: int
    media_type: str
    body: bytes

    @property
    def kind(self) -> Kind:
        return kind_of(urlsplit(self.url).path, self.method, self.status)  # type: ignore[return-value]


def blocks() -> list[tuple[str, str]]:
    """Each ```sh block with the paragraph before it."""
    matches = re.findall(r"((?:[^\n]+\n)+)\n```sh\n(.*?)```\n", README, re.DOTALL)
    assert len(matches) == README.count("```sh\n"), "a block has no paragraph before it"
    return matches


def lines(block: str) -> list[str]:
    """The commands of a block, with continued lines joined."""
    return block.replace("\\\n", " ").strip().splitlines()


def promises() -> list[tuple[str, int]]:
    """Each curl command with its expected status. A paragraph names the statuses of its block's last calls."""
    commands = []
    for paragraph, block in blocks():
        curls = [line for line in lines(block) if "curl " in line]
        named = [int(status) for status in STATUS.findall(paragraph)]
        commands += list(zip(curls, [200] * (len(curls) - len(named)) + named, strict=True))
    return commands


@pytest.fixture(scope="module")
def tour(make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """The results of all curl commands of the README, in order."""
    if CURL is None:
        pytest.skip("curl is not installed")
    folder = tmp_path_factory.mktemp("tour")
    settings = Settings(database_url=make_database("readme"), jurisdictions=("demo", "chicago"), port=free_port())
    for name in ("bin", "calls", "var"):
        (folder / name).mkdir()
    code, spy = folder / "bin" / "spy.py", folder / "bin" / "curl"
    code.write_text(RECORDING_CURL.format(calls=str(folder / "calls"), curl=CURL), encoding="utf-8")
    # Run by a shell, because the first line of a script cannot contain a path with a space.
    spy.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{code}" "$@"\n', encoding="utf-8")
    spy.chmod(0o755)
    (folder / "var" / "demo-key").write_text(new_key(settings) + "\n", encoding="utf-8")
    script = "\n".join(line for _, block in blocks() for line in lines(block))
    assert script.count("127.0.0.1:3111") == 1, "only the first block may contain the address"
    script = script.replace("127.0.0.1:3111", f"127.0.0.1:{settings.port}")
    with serving(settings):
        done = subprocess.run(
            ["sh", "-eu", "-c", script],
            cwd=folder,
            env=os.environ | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return [
        read_call(line, promised, report)
        for (line, promised), report in zip(promises(), sorted((folder / "calls").glob("*.json")), strict=True)
    ]


def new_key(settings: Settings) -> str:
    app = create_app(settings)
    secret = add_key(platform_of(app), label="demo", now=utc_now())[1]
    platform_of(app).close()
    return secret


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """Runs `open311 serve`; the block starts when the server answers."""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "OPEN311_JURISDICTIONS": ",".join(settings.jurisdictions),
        "OPEN311_PORT": str(settings.port),
        "OPEN311_WORKERS": "1",
        "OPEN311_LOG_LEVEL": "error",
    }
    server = subprocess.Popen([sys.executable, "-m", "open311", "serve"], env=environment)
    try:
        retry_options = ["--retry", "60", "--retry-connrefused", "--retry-delay", "1", "--silent", "--show-error"]
        subprocess.run(
            [str(CURL), *retry_options, "--output", os.devnull, f"http://127.0.0.1:{settings.port}/healthz"],
            check=True,
        )
        yield
    finally:
        server.terminate()
        server.wait(30)


def read_call(line: str, promised: int, report: Path) -> Call:
    data = json.loads(report.read_text(encoding="utf-8"))
    return Call(
        line=line,
        method=data["method"],
        url=data["url_effective"],
        status=data["http_code"],
        promised=promised,
        media_type=data["content_type"] or "",
        body=report.with_suffix(".body").read_bytes(),
    )


def test_every_call_of_the_tour_has_the_status_in_the_readme(tour: list[Call]) -> None:
    assert len(tour) > 15
    assert [(call.line, call.status) for call in tour] == [(call.line, call.promised) for call in tour]
    assert {call.status for call in tour} == {200, 304, 400, 403, 404}


def test_every_body_of_the_tour_conforms_to_the_standard(tour: list[Call]) -> None:
    for call in tour:
        if call.status == 304:
            assert call.body == b""
            continue
        assert call.kind, f"{call.line}: {call.url} is not an address of the standard"
        assert deviations(call.body, media_type=call.media_type, kind=call.kind) == [], call.line


def test_the_tour_shows_every_kind_of_body(tour: list[Call]) -> None:
    assert {call.kind for call in tour if call.status == 200} == {
        "discovery",
        "services",
        "service_definition",
        "created",
        "requests",
        "token",
    }
    assert {call.media_type.partition(";")[0] for call in tour} >= {"application/json", "text/xml"}


def test_the_tour_reads_the_requests_that_it_sent(tour: list[Call]) -> None:
    json_call, xml_call = [call for call in tour if "/requests/$ID" in call.line]
    assert same_data(xml_call.body, json_call.body, "requests") == []
    for call in tour:
        if call.kind == "requests" and call.media_type.startswith("application/json"):
            assert json.loads(call.body), f"{call.line}: finds no request that the tour sent"


def test_an_error_in_the_tour_names_every_wrong_field(tour: list[Call]) -> None:
    (call,) = [call for call in tour if call.status == 400]
    texts = " ".join(error["description"] for error in json.loads(call.body))
    for field in ("lat", "long", "SURFACE"):
        assert field in texts


# --- The other examples of the README


def test_the_city_declared_in_the_readme_is_valid(tmp_path: Path) -> None:
    (declared,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    folder = tmp_path / "mycity"
    folder.mkdir()
    (folder / "jurisdiction.toml").write_text(declared, encoding="utf-8")
    registry = load_registry([str(folder)])
    assert registry.faults == ()
    assert list(registry.jurisdictions) == ["mycity.example"]


def shown(rule: Rule) -> str:
    """The path of a route in the table. The calls of staff are one row, and so are the pages of each kind."""
    if rule.rule.startswith("/staff/v1/"):
        return "/staff/v1"
    if rule.rule.startswith("/c/"):
        return "/c/{jurisdiction_id}/"
    if rule.rule.startswith("/desk/"):
        return "/desk/{jurisdiction_id}/"
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", without_suffix(rule))


def without_suffix(rule: Rule) -> str:
    """The path of a route; without .json or .xml where both are the same call."""
    return rule.rule.rpartition(".")[0] if "suffix" in (rule.defaults or {}) else rule.rule


def test_the_table_of_urls_is_complete(app: Flask) -> None:
    table = {
        (address, method)
        for addresses, methods in re.findall(r"^\| (`/.*?) \| ([A-Z, ]+) \|", README, re.MULTILINE)
        for address in re.findall(r"`(.*?)`", addresses)
        for method in methods.split(", ")
    }
    served = {
        (shown(rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule != "/docs/<path:name>"
    }
    assert table == served


PARTS = {
    "<code:id>": "ID",
    "<code:delivery>": "NUMBER",
    "<code:block>": "NUMBER",
    "<code:item>": "ITEM",
    "<notice>": "NUMBER",
    "<view>": "NAME",
    "<photo>": "PHOTO",
    "<update>": "UPDATE",
}
"""The variable parts of paths, and the words for them in spec/staff.md."""


def test_the_page_about_staff_names_every_call_and_command(app: Flask) -> None:
    page = (REPOSITORY / "spec" / "staff.md").read_text(encoding="utf-8")
    for rule in app.url_map.iter_rules():
        path = rule.rule.removeprefix("/staff/v1")
        if path == rule.rule:
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            command = path.rpartition("/")[2]
            named = path
            for part, word in PARTS.items():
                named = named.replace(part, word)
            call = f"`{method} {named}"
            assert call in page or f"| `{command}` |" in page, f"spec/staff.md lacks {method} {path}"


def test_make_commands_in_the_readme_are_targets_of_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z]+)\b", README):
        if target not in ("a", "up"):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no make {target}"
