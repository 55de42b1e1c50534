"""The commands of the operator: their output, their exit status and their effect."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from open311.cli import main
from open311.cli.run import shell_lines
from open311.clock import utc_now
from open311.domain.commands import commands as orders
from open311.embedded.databases import make_url
from open311.operations.platform import Platform
from open311.settings import NO_DATABASE, Settings, variable
from open311.storage.engine import open_database
from tests import build
from tests.conftest import CITY
from tests.storage.schema import at_revision

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., Result]


@pytest.fixture
def bare_run(bare_shell: None) -> Run:
    """Runs `open311 ARGUMENTS` in an empty folder. Only the given variables of the server are set."""

    def invoke(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(main, list(arguments), env=environment, prog_name="open311")

    return invoke


@pytest.fixture
def run(bare_run: Run, shell: None) -> Run:
    """Runs commands with the tests' database and only the demo city."""
    return bare_run


def printed(result: Result) -> str:
    """The output of a command. The command must succeed."""
    assert result.exit_code == 0, result.output
    return result.output


def refusal(result: Result) -> str:
    """The error message of a command, which is one sentence. The command must fail."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exc_info
    (line,) = result.stderr.splitlines()
    if line.startswith("{"):  # `serve` and `worker` write errors as JSON lines
        return str(json.loads(line)["event"])
    assert line.startswith("open311: ")
    return line.removeprefix("open311: ")


# --- Help


def members(group: click.Group) -> dict[str, click.Command]:
    """A group's commands by name."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def commands(
    group: click.Group = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group, with the words that call it."""
    yield path, group
    for name, command in members(group).items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_of_every_command_is_complete(bare_run: Run, path: tuple[str, ...]) -> None:
    command = ALL[path]
    text = printed(bare_run(*path, "--help"))
    assert text == printed(bare_run(*path, "-h"))
    assert command.help
    assert len(command.help) > 30, "the help has at least one sentence"
    usage, _, rest = text.partition("\n")
    assert usage.startswith("Usage: open311")
    assert not re.search(r"\w\.\.\.$", rest, re.MULTILINE), "the help cuts off a sentence"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.opts[0]} has no help"
        elif isinstance(parameter, click.Argument):
            metavar = parameter.make_metavar(click.Context(command)).strip("[].")
            assert metavar.partition("|")[0] in command.help, f"{metavar} is not explained"
    if any(parameter.required for parameter in command.params):
        assert "Example" in command.help, "a command with required arguments needs an example"


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_examples_in_help_are_valid_commands(path: tuple[str, ...]) -> None:
    for line in shown_commands(ALL[path].help or ""):
        parse(line)


def shown_commands(text: str) -> list[str]:
    """The command lines in a text: lines that start with `open311` or with variables, and words in backticks."""
    text = text.replace("\\\n", " ")
    lines = re.findall(r"^ *(?:[A-Z_0-9]+=\S+ )*(open311 [a-z].*)$", text, re.MULTILINE)
    lines += re.findall(r"^ *(?:command: |ExecStart=\S*/)(open311 .*)$", text, re.MULTILINE)
    lines += re.findall(r"`(open311 [a-z][^`]*)`", text)
    return [re.split(r"\s{2,}| #| \|| &&", line)[0].removesuffix("…") for line in lines]


def parse(line: str) -> None:
    """Fail if a command line has a command, option or choice that does not exist."""
    words = shlex.split(line)[1:]
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        assert words[0] in members(command), f"{line}: there is no {words[0]}"
        command = members(command)[words.pop(0)]
    if words:
        command.make_parser(click.Context(command)).parse_args(words)


def test_each_command_has_the_name_in_the_table() -> None:
    assert {name: command.name for name, command in members(main).items()} == {name: name for name in members(main)}


def test_version_is_printed(bare_run: Run) -> None:
    assert re.fullmatch(r"open311, version \d+\.\d+\.\d+\n", printed(bare_run("--version")))


# --- Keys


def new_key(run: Run, *options: str) -> str:
    """The secret that `keys add` shows."""
    return printed(run("keys", "add", "--label", "FixIt [beta]", *options)).split()[-1]


def post(client: FlaskClient, secret: str, **more: str) -> Any:
    data = {"api_key": secret, "service_code": "potholes", "lat": "60.1718", "long": "24.9414"} | more
    return client.post("/open311/v2/requests.json", data=data)


def test_a_new_key_is_accepted_and_its_secret_is_shown_only_once(run: Run, client: FlaskClient) -> None:
    secret = new_key(run, "--contact", "dev@fixit.example")
    assert post(client, secret).status_code == 200
    listed = printed(run("keys", "list"))
    assert "FixIt [beta]" in listed
    assert "dev@fixit.example" in listed
    assert secret not in listed


def test_a_key_of_staff_may_report_to_services_for_staff(run: Run, client: FlaskClient) -> None:
    secret = new_key(run, "--staff")
    assert post(client, secret, service_code="inspection").status_code == 200
    assert post(client, new_key(run), service_code="inspection").status_code == 403
    assert printed(run("keys", "list")).count("real staff") == 1


def test_files_in_the_maps_folder_that_fit_no_city_are_reported(
    bare_run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "city.exmaple").mkdir()
    monkeypatch.setenv("OPEN311_MAPS_DIR", str(tmp_path))
    result = printed(bare_run("jurisdictions", "check", "demo"))
    assert f"not used: {tmp_path}/city.exmaple has maps, but no city" in " ".join(result.split())


def test_a_revoked_key_is_refused_from_then_on(run: Run, client: FlaskClient) -> None:
    secret = new_key(run)
    number = re.search(r"^ *(\d+) +FixIt", printed(run("keys", "list")), re.MULTILINE)
    assert number
    assert printed(run("keys", "revoke", number[1])) == f"Key {number[1]} is revoked.\n"
    assert post(client, secret).status_code == 403
    assert (
        refusal(run("keys", "revoke", number[1])) == f"there is no valid key {number[1]}; see `open311 keys list`."
    )


def test_requests_of_a_test_key_are_readable_by_id_only(run: Run, client: FlaskClient) -> None:
    created = post(client, new_key(run, "--test"))
    found = created.json[0]["service_request_id"]
    assert client.get(f"/open311/v2/requests/{found}.json").status_code == 200
    assert client.get("/open311/v2/requests.json").json == []
    assert " test " in printed(run("keys", "list"))


def test_a_key_for_one_city_is_refused_in_another(run: Run, make_app: Callable[..., Any]) -> None:
    client = make_app(jurisdictions=("demo", "lacity.org")).test_client()
    secret = new_key(run, "--jurisdiction", CITY)
    assert post(client, secret, jurisdiction_id=CITY).status_code == 200
    assert post(client, secret, jurisdiction_id="lacity.org").status_code == 403


def test_the_error_for_a_key_for_an_unknown_city_names_the_known_cities(run: Run) -> None:
    words = refusal(run("keys", "add", "--label", "x", "--jurisdiction", "nowhere.example"))
    assert words == "jurisdiction: 'nowhere.example' is not served here; use one of city.example."


# --- Jurisdictions and routes


def test_the_cities_are_listed_with_their_services(bare_run: Run) -> None:
    lines = printed(bare_run("jurisdictions", "list")).splitlines()
    assert len(lines) == 11
    (chicago,) = [line for line in lines if "cityofchicago.org" in line]
    assert re.search(r"Chicago +191 +14 +en +America/Chicago", chicago)


def test_a_broken_plugin_is_listed_and_does_not_hide_the_others(bare_run: Run, tmp_path: Path) -> None:
    broken = folder(tmp_path, 'id = "Broken.Example"\n')
    said = printed(bare_run("jurisdictions", "list", OPEN311_JURISDICTIONS=f"demo,{broken}"))
    assert "city.example" in said
    for key in ("name", "time_zone", "triage"):
        assert f'not served: {broken}: broken/jurisdiction.toml: {key} is missing; write {key} = "…".\n' in said


def folder(tmp_path: Path, toml: str, name: str = "broken") -> Path:
    """A folder that declares a city."""
    found = tmp_path / name
    found.mkdir()
    (found / "jurisdiction.toml").write_text(toml, encoding="utf-8")
    return found


SOUND = """
id = "mine.example"
name = "Mine"
time_zone = "Europe/Helsinki"
triage = "desk"
departments = [{ code = "desk", name = "Desk" }]
services = [{ code = "hole", name = "Hole" }]
"""


def test_a_valid_folder_passes_the_check(bare_run: Run, tmp_path: Path) -> None:
    city = folder(tmp_path, SOUND, "mycity")
    assert printed(bare_run("jurisdictions", "check", "./mycity")) == "sound: mine.example, 1 service\n"
    assert printed(bare_run("jurisdictions", "check", str(city))) == "sound: mine.example, 1 service\n"


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        (
            SOUND.replace('triage = "desk"', 'triage = "nobody"'),
            "triage names department 'nobody', which is not declared",
        ),
        (
            SOUND.replace("Europe/Helsinki", "Europe/Nowhere"),
            "time_zone 'Europe/Nowhere' is not the name of an IANA zone",
        ),
        (SOUND.replace("time_zone", "timezone"), "time_zone is missing"),
        (SOUND.replace("time_zone", "timezone"), "unknown key 'timezone'; did you mean time_zone?"),
        (SOUND + "[[services]\n", "is not TOML"),
    ],
)
def test_a_broken_folder_fails_the_check_with_its_reason(
    bare_run: Run, tmp_path: Path, toml: str, why: str
) -> None:
    result = bare_run("jurisdictions", "check", str(folder(tmp_path, toml)), "demo")
    assert result.exit_code == 1
    assert re.search(rf"^broken: .*{re.escape(why)}", result.stdout, re.MULTILINE)
    assert "sound: city.example, 12 services and 2 that are inactive or replaced\n" in result.stdout
    assert result.stderr == "open311: 1 of 2 are broken.\n"


def test_the_error_for_a_folder_without_a_city_names_the_folder(bare_run: Run, tmp_path: Path) -> None:
    assert refusal(bare_run("jurisdictions", "check", str(tmp_path))).startswith(
        f"{tmp_path} holds no jurisdiction.toml"
    )


def test_every_built_in_city_passes_the_check(bare_run: Run) -> None:
    assert len(printed(bare_run("jurisdictions", "check")).splitlines()) == 10


def test_a_changed_catalogue_is_stored_once(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    city = folder(tmp_path, SOUND, "mycity")
    monkeypatch.setenv("OPEN311_JURISDICTIONS", str(city))
    printed(run("jurisdictions", "sync"))
    assert printed(run("jurisdictions", "sync")) == "Nothing had changed.\n"


def test_sync_prints_what_it_stored(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    city = folder(tmp_path, SOUND, "mycity")
    monkeypatch.setenv("OPEN311_JURISDICTIONS", str(city))
    assert printed(run("jurisdictions", "sync")) == "Stored: mine.example: new, with 1 service and 1 department.\n"
    changed = SOUND.replace('code = "hole"', 'code = "crater"').replace("desk", "office")
    (city / "jurisdiction.toml").write_text(changed, encoding="utf-8")
    assert printed(run("jurisdictions", "sync")) == (
        "Stored: mine.example: new services crater; retired services hole; new departments office;"
        " departments that it has no more desk.\n"
    )


def test_commands_that_need_no_catalogue_store_none(run: Run) -> None:
    for command in (("keys", "list"), ("keys", "add", "--label", "x"), ("publish", "--status"), ("export",)):
        printed(run(*command))
    assert "new, with" in printed(run("jurisdictions", "sync"))


def test_requests_are_counted_again(run: Run) -> None:
    printed(run("jurisdictions", "sync"))
    assert printed(run("recount", "--jurisdiction", CITY)) == f"{CITY}: 0 requests counted.\n"
    assert "moon" in refusal(run("recount", "--jurisdiction", "moon"))


def test_forecasts_can_be_made_in_the_shell(run: Run) -> None:
    printed(run("jurisdictions", "sync"))
    made = printed(run("forecast", "make", "--jurisdiction", CITY))
    assert made == f"{CITY}: 0 of 7 forecasts are published, in 1 row.\n"
    assert "moon" in refusal(run("forecast", "make", "--jurisdiction", "moon"))


def test_methods_of_forecasting_are_tried_on_a_file_of_months(bare_run: Run, tmp_path: Path) -> None:
    months = [f"{2016 + number // 12}-{number % 12 + 1:02},{500 + 40 * (number % 12)}" for number in range(100)]
    file = tmp_path / "counts.csv"
    file.write_text("\n".join(["month,requests", *months, ""]), encoding="utf-8")
    lines = printed(bare_run("forecast", "try", str(file), "--first", "2020-01", "--last", "2024-03")).splitlines()
    assert len(lines) == 1 + 3 * 3
    assert lines[0].split()[:3] == ["months", "ahead", "method"]
    assert {line.split()[2] for line in lines[1:]} == {"51"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no month"),
        ("month,requests\n", "has no month"),
        ("month,requests\n2016-13,5\n", "line 2: the first column must be a month such as 2026-03"),
        ("month,requests\n2016-01,-5\n", "line 2: the second column must be a whole number"),
        ("month,requests\n2016-01,1e9\n", "line 2: the second column must be a whole number"),
        ("month,requests\n2016-01\n", "line 2: the second column must be a whole number"),
        ("month,requests\n2016-01,5\n2016-01,5\n", "line 3: the month was on an earlier line"),
        ("month,requests\n2016-01,5\n2016-02-01,5\n", "some lines have a month and others a day"),
        ("month,requests\n0000-01,5\n", "line 2: the first column must be a month"),
    ],
)
def test_the_error_for_a_faulty_file_of_counts_says_what_is_wrong(
    bare_run: Run, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "counts.csv"
    file.write_text(text, encoding="utf-8")
    assert words in refusal(bare_run("forecast", "try", str(file)))


def test_only_complete_months_of_a_file_of_days_are_read(bare_run: Run, tmp_path: Path) -> None:
    first = date(2019, 1, 10)
    days = [first + timedelta(days=number) for number in range(365 * 6)]
    file = tmp_path / "counts.csv"
    file.write_text("\n".join(["day,requests", *(f"{day},{day.month + 10}" for day in days)]), encoding="utf-8")
    lines = printed(bare_run("forecast", "try", str(file), "--last", "2024-12")).splitlines()
    assert lines[1].split()[:3] == ["1", "mean_and_last_year", "59"]  # from 2020-02 on: January 2019 is incomplete
    assert "--last: 'x' is not a month" in refusal(bare_run("forecast", "try", str(file), "--last", "x"))
    assert "No such file" in bare_run("forecast", "try", str(tmp_path / "none.csv")).stderr


def test_a_route_is_shown_and_explained(bare_run: Run) -> None:
    where = ("--jurisdiction", CITY, "--lat", "60.14", "--long", "24.95")
    assert printed(bare_run("route", "potholes", *where)) == "port: Port of Demoville\n"
    assert printed(bare_run("route", "potholes", "--jurisdiction", CITY, "--explain")).splitlines() == [
        "no   service potholes, in area Harbour -> port: the request has no coordinates",
        "won  table: potholes -> streets: fits",
        "streets: Street Works",
    ]
    city = ("--jurisdiction", CITY, "--at", "2026-12-22T10:00")
    answered = bare_run("route", "a/b", *city, "--answer", "KIND=bicycle")
    assert printed(answered).splitlines() == [
        "cleaning: City Cleaning",
        "due 2027-01-08T15:00:00+02:00 by the service level 'service a/b, KIND is bicycle: 10 working days'",
    ]
    unmanaged = "no due date by the service level 'service hotline, department desk: SLA Not Managed by 311'"
    assert printed(bare_run("route", "hotline", *city)).splitlines() == ["desk: Citizens' Desk", unmanaged]


def test_a_route_by_time_is_explained(bare_run: Run) -> None:
    at = ("--jurisdiction", CITY, "--explain", "--at")
    assert printed(bare_run("route", "v1.2", *at, "2026-12-06T21:00")).splitlines() == [
        "no   service v1.2, 20:00-06:00, on Monday, Tuesday, Wednesday, Thursday, Friday, Saturday -> parking:"
        " it is Sunday",
        "won  table: v1.2 -> streets: fits",
        "streets: Street Works",
        "due 2026-12-07T05:00:00+02:00 by the service level 'service v1.2: 8 hours'",
    ]
    assert printed(bare_run("route", "001", *at, "2026-12-22T10:00")).splitlines()[:2] == [
        "no   service 001, on a holiday -> parks: Tuesday, 2026-12-22 is no holiday",
        "won  table: 001 -> cleaning: fits",
    ]
    assert printed(bare_run("route", "001", *at, "2026-12-25T10:00")).splitlines()[:2] == [
        "won  service 001, on a holiday -> parks: fits",
        "parks: Parks",
    ]


def test_a_route_names_a_point_that_is_refused(bare_run: Run) -> None:
    answer = ("--jurisdiction", CITY, "--answer", "KIND=car")
    inside = printed(bare_run("route", "a/b", *answer, "--lat", "60.14", "--long", "24.95"))
    assert "the service a/b is not offered at this point: a POST is refused" in inside
    outside = printed(bare_run("route", "a/b", *answer, "--lat", "10", "--long", "10"))
    assert "the point lies outside Demoville: a POST is refused" in outside


LEVELS = """
[[service_levels]]
level = "4 days"
service = "potholes"
[[service_levels]]
level = "9 days"
service = "potholes"
"""


def test_service_levels_that_disagree_are_reported(bare_run: Run, tmp_path: Path) -> None:
    city = tmp_path / "levels"
    shutil.copytree(REPOSITORY / "jurisdictions" / "demo", city, ignore=shutil.ignore_patterns("*.py"))
    with (city / "jurisdiction.toml").open("a", encoding="utf-8") as file:
        file.write(LEVELS)
    lines = printed(bare_run("jurisdictions", "check", str(city))).splitlines()
    assert lines[0].startswith("sound: city.example")
    assert re.match(r"look at: city\.example: levels/jurisdiction\.toml:\d+: the service levels", lines[1])
    shown = printed(bare_run("route", "potholes", OPEN311_JURISDICTIONS=str(city))).splitlines()
    disagreeing = "'service potholes: 4 days' and 'service potholes: 9 days'"
    assert shown[1] == f"no due date, because service levels disagree: {disagreeing}"


def test_a_route_that_never_fits_is_refused_with_file_and_line(bare_run: Run, tmp_path: Path) -> None:
    city = tmp_path / "levels"
    shutil.copytree(REPOSITORY / "jurisdictions" / "demo", city, ignore=shutil.ignore_patterns("*.py"))
    with (city / "jurisdiction.toml").open("a", encoding="utf-8") as file:
        file.write('[[routes]]\ndepartment = "desk"\nservice = "001"\nday = "holiday"\n')
    result = bare_run("jurisdictions", "check", str(city))
    assert result.exit_code == 1
    assert re.search(
        r"broken: .*levels/jurisdiction\.toml:\d+: route no\. 7 .* contradicts route no\. 6", result.output
    )


NIGHT = """
from datetime import timedelta
from open311.plugins import Department, Draft, Jurisdiction, Service


class City(Jurisdiction):
    def department_for(self, draft: Draft) -> str | None:
        local = draft.requested_at.astimezone(self.zone)
        if "gas" in draft.description:
            return "fire"
        return "police" if local.hour >= 22 else None


jurisdiction = City(
    id="night.example",
    name="Night",
    time_zone="Europe/Helsinki",
    triage="desk",
    departments=(Department("desk", "Desk"), Department("police", "Police")),
    services=(Service(code="noise", name="Noise"),),
)
"""


@pytest.fixture
def night(bare_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed city that routes by time and by words."""
    info = tmp_path / "night-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: night\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[open311.jurisdictions]\nnight = night_city:jurisdiction\n")
    (tmp_path / "night_city.py").write_text(NIGHT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OPEN311_JURISDICTIONS", "night")


def test_a_route_depends_on_time_and_description(night: None, bare_run: Run) -> None:
    late = bare_run("route", "noise", "--explain", "--at", "2026-03-01T22:30")
    assert printed(late).splitlines() == [
        "won  department_for -> police: the plugin decided",
        "police: Police",
    ]
    assert printed(bare_run("route", "noise", "--at", "2026-03-01T21:30")) == "desk: Desk\n"
    assert printed(bare_run("route", "noise", "--at", "2026-03-01T20:30:00Z")) == "police: Police\n"
    assert refusal(bare_run("route", "noise", "--description", "Smell of gas")) == (
        "department_for names department 'fire', which night.example does not declare."
    )
    said = refusal(bare_run("route", "noise", "--at", "tonight"))
    assert said.startswith("--at: 'tonight' is not a date and time;")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope", "--jurisdiction", CITY), "service_code: 'nope' is not in the service list of city.example."),
        (("potholes",), "--jurisdiction: is missing; send one of baltimorecity.gov,"),
        (("potholes", "--jurisdiction", CITY, "--lat", "95", "--long", "1"), "lat: 95 is outside -90..90"),
        (("potholes", "--jurisdiction", CITY, "--lat", "60"), "long: is missing; send lat and long together."),
        (("a/b", "--jurisdiction", CITY, "--answer", "KIND"), "--answer: 'KIND' must look like CODE=VALUE."),
    ],
)
def test_a_route_that_cannot_be_found_gives_the_reason(
    bare_run: Run, arguments: tuple[str, ...], words: str
) -> None:
    assert refusal(bare_run("route", *arguments)).startswith(words)


# --- Settings and documents


def test_settings_show_each_variable_with_its_value_and_meaning(bare_run: Run) -> None:
    said = printed(bare_run("settings", OPEN311_PORT="8080", OPEN311_JURISDICTIONS="demo,chicago"))
    for row in fields(Settings):
        assert re.search(rf"^ {variable(row)} ", said, re.MULTILINE)
        assert row.metadata["meaning"].split()[0] in said
    assert "8080 (default: 3111)" in said
    assert "demo, chicago" in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://city:geheim@db.example/open311",
        "postgresql://city:ge@heim@db.example/open311",
        "postgresql://db.example/open311?user=city&password=geheim",
    ],
)
def test_settings_hide_passwords(bare_run: Run, url: str) -> None:
    said = printed(bare_run("settings", DATABASE_URL=url, OPEN311_RATE_STORAGE="redis://:geheim@cache.example/0"))
    assert "heim" not in said
    assert "db.example" in said
    assert "cache.example" in said


def test_settings_hide_the_secrets_of_outgoing_traffic(bare_run: Run) -> None:
    said = printed(
        bare_run(
            "settings",
            OPEN311_SMTP_URL="smtp://city:geheim@mail.example",
            OPEN311_MAIL_FROM="desk@city.example",
            OPEN311_OPERATOR_WEBHOOK="https://ops.example/geheim",
            OPEN311_OPERATOR_WEBHOOK_SECRET="whsec_geheimgeheimgeheimgeheimgeheimge",
            OPEN311_PROXY="http://city:geheim@proxy.example:3128",
        )
    )
    assert "heim" not in said
    assert "desk@city.example" in said
    assert "proxy.example:3128" in said


@pytest.mark.parametrize("command", [("settings",), ("serve",), ("worker",), ("db", "status"), ("run",)])
def test_a_bad_setting_ends_every_command_with_one_sentence(bare_run: Run, command: tuple[str, ...]) -> None:
    words = refusal(bare_run(*command, OPEN311_PORT="eighty"))
    assert words == "OPEN311_PORT: must be a whole number, not 'eighty'"


@pytest.mark.parametrize(
    "command",
    [
        ("worker", "--once"),
        ("db", "status"),
        ("db", "migrate"),
        ("keys", "list"),
        ("requests", "show", "1"),
        ("run",),
    ],
)
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://nobody:geheim@127.0.0.1:1/none", "the database cannot be used: .*127.0.0.1.* refused"),
        (
            "postgresql://nobody:gehe@im@db.invalid/none",
            "the database cannot be used: .*db.invalid.*Correct the host",
        ),
        ("mysql://nobody:geheim@127.0.0.1/none", "DATABASE_URL: must look like postgresql://"),
    ],
)
def test_a_wrong_database_ends_every_command_with_one_sentence(
    bare_run: Run, command: tuple[str, ...], url: str, words: str
) -> None:
    said = refusal(bare_run(*command, DATABASE_URL=url))
    assert re.search(words, said)
    assert "geheim" not in said
    assert "im@" not in said, "the end of a password with an @"


@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        ("worker", "--once"),
        ("db", "status"),
        ("db", "migrate"),
        ("keys", "add", "--label", "x"),
        ("jurisdictions", "sync"),
        ("import", "-"),
        ("export",),
        ("dump",),
        ("publish",),
        ("recount",),
        ("forecast", "make"),
        ("areas", "recompute"),
    ],
)
def test_a_command_without_its_database_url_says_so_and_writes_no_file(
    bare_run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert refusal(bare_run(*command)) == NO_DATABASE
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "var" / "pg").mkdir(parents=True)
    assert refusal(bare_run(*command)) == f"{NO_DATABASE} `open311 run` shows the DATABASE_URL of its own database."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("OPEN311_WORKER", "OPEN311_WORKER: there is no such setting; did you mean OPEN311_WORKERS?"),
        ("OPEN311_PORT_FIEL", "OPEN311_PORT_FIEL: there is no such setting; did you mean OPEN311_PORT?"),
        ("OPEN311_COLOUR", "OPEN311_COLOUR: there is no such setting; `open311 settings` lists all."),
    ],
)
def test_a_setting_that_does_not_exist_is_named(bare_run: Run, name: str, words: str) -> None:
    result = bare_run("settings", OPEN311_PORT_FILE="", **{name: "3"})
    assert (result.exit_code, result.stderr) == (0, f"open311: {words}\n")
    first, second = bare_run("serve", **{name: "3"}).stderr.splitlines()
    assert json.loads(first)["event"] == words
    assert json.loads(second)["event"] == NO_DATABASE


def test_openapi_is_shown_and_written(bare_run: Run, tmp_path: Path) -> None:
    shown = json.loads(printed(bare_run("openapi")))
    assert "/open311/v2/requests.json" in shown["paths"]
    (tmp_path / "spec").mkdir()
    assert printed(bare_run("openapi", "--write")) == "spec/openapi.json is written.\n"
    assert json.loads((tmp_path / "spec" / "openapi.json").read_text(encoding="utf-8")) == shown


# --- The database


@pytest.fixture(scope="module")
def spare_url(make_database: Callable[[str], str]) -> str:
    """A database whose schema these tests may downgrade."""
    return make_database("spare")


def test_the_schema_is_downgraded_and_upgraded_and_its_state_is_shown(bare_run: Run, spare_url: str) -> None:
    there = {"DATABASE_URL": spare_url}
    printed(bare_run("db", "status", **there))
    assert printed(bare_run("db", "migrate", "--to", "base", **there)).endswith("now it is at nothing.\n")
    behind = bare_run("db", "status", **there)
    assert behind.exit_code == 1
    assert behind.stdout.startswith("The schema is at nothing; this release needs 0")
    assert re.fullmatch(
        r"open311: the schema of spare\S* at \S+ is empty; run `open311 db migrate`.\n", behind.stderr
    )
    for command in (("worker", "--once"), ("keys", "add", "--label", "x"), ("jurisdictions", "sync"), ("export",)):
        assert refusal(bare_run(*command, **there)).endswith(" is empty; run `open311 db migrate`.")
    assert printed(bare_run("db", "migrate", **there)).startswith("The schema was at nothing, now it is at 0")
    printed(bare_run("db", "status", **there))


def test_an_unknown_revision_is_refused(bare_run: Run, spare_url: str) -> None:
    said = refusal(bare_run("db", "migrate", "--to", "9999", DATABASE_URL=spare_url))
    assert said.startswith("there is no revision '9999'; use head, base or one of 0001, ")


@pytest.mark.parametrize(
    ("revision", "is_served", "words"),
    [
        ("9999", True, "9999, which a newer release has made; this release needs 0"),
        ("0001", False, "0001, but this release needs 0"),
        ("af31c", False, "'af31c' is no revision of this server; let DATABASE_URL name its own database"),
    ],
)
def test_a_schema_of_another_release_is_named(
    bare_run: Run, spare_url: str, revision: str, is_served: bool, words: str
) -> None:
    there = {"DATABASE_URL": spare_url}
    database = open_database(spare_url)
    with closing(database), at_revision(database, revision):
        for command in (("db", "status"), ("keys", "list")):
            result = bare_run(*command, **there)
            assert result.exit_code == (0 if is_served else 1), result.output
            assert is_served or words in refusal(result)
        if revision != "0001":
            assert words in refusal(bare_run("db", "migrate", **there))


# --- Single requests


@pytest.fixture
def request_id(run: Run, client: FlaskClient) -> str:
    """The id of a pothole request in the middle of the demo city, sent with the reporter's name."""
    created = post(client, new_key(run), first_name="Ada", email="ada@mail.example")
    found: str = created.json[0]["service_request_id"]
    return found


def test_a_request_is_shown_with_its_history_and_without_its_reporter(run: Run, request_id: str) -> None:
    said = printed(run("requests", "show", request_id))
    assert said.splitlines()[:2] == [
        f"{request_id}: potholes, open, public",
        "department streets (table: potholes)",
    ]
    assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +received", said, re.MULTILINE)
    assert re.search(r"routed +streets \(table: potholes\)", said)
    assert "Ada" not in said
    assert "mail.example" not in said


def test_requests_of_a_removed_department_are_rerouted(run: Run, request_id: str, tmp_path: Path) -> None:
    printed(run("requests", "transfer", request_id, "--department", "port"))
    assert printed(run("requests", "reroute")) == (
        "0 of 1 open requests would move. 1 stay where a person or their source has put them.\n"
    )
    city = tmp_path / "smaller"
    shutil.copytree(REPOSITORY / "jurisdictions" / "demo", city, ignore=shutil.ignore_patterns("*.py"))
    text = (city / "jurisdiction.toml").read_text(encoding="utf-8").replace('code = "port"', 'code = "harbour"')
    text = text.replace('department = "port"', 'department = "harbour"')
    (city / "jurisdiction.toml").write_text(text, encoding="utf-8")
    changed = {"OPEN311_JURISDICTIONS": str(city)}
    table, last = printed(run("requests", "reroute", **changed)).rstrip().rsplit("\n", 1)
    assert re.search(rf"^ *1 +port +streets +table: potholes +{request_id}", table, re.MULTILINE)
    lost = "Of these, 1 put there by a person or their source; the new department begins anew."
    assert last == f"1 of 1 open requests would move. {lost} Run the command with --apply to move them."
    assert "department port" in printed(run("requests", "show", request_id, **changed))
    moved = printed(run("requests", "reroute", "--apply", **changed))
    assert moved.endswith(f"1 of 1 open requests moved. {lost}\n")
    assert "department streets (table: potholes)" in printed(run("requests", "show", request_id, **changed))


def facts(said: str) -> dict[str, list[str]]:
    """The named lines of `requests show`, by their name."""
    found: dict[str, list[str]] = {}
    for name, text in re.findall(r"^([a-z?_]+(?: note)?) {2,}(.*)$", said, re.MULTILINE):
        found.setdefault(name, []).append(text)
    return found


def test_show_prints_all_of_a_request_and_its_reporter_only_with_an_option(run: Run, client: FlaskClient) -> None:
    created = post(
        client,
        new_key(run),
        service_code="graffiti",
        address_string="5 Mill Lane",
        address_id="A-7",
        description="Two lines\nof \x9b31m text",
        media_url="https://pictures.example/1.jpg",
        first_name="Ada",
        email="ada@mail.example",
        **{"attribute[SURFACE]": "brick", "attribute[NOTE]": "Ask at the gate"},
    )
    request_id = created.json[0]["service_request_id"]
    said = printed(run("requests", "show", request_id))
    shown = facts(said)
    assert shown["service"] == ["Graffiti"]
    assert shown["place"] == ["60.1718, 24.9414 (lat, long); 5 Mill Lane; address_id A-7"]
    assert shown["description"] == ["Two lines"]
    assert "\n             of \\x9b31m text\n" in said, "characters that control a terminal are escaped"
    assert "What is it painted on? (SURFACE): Brick (brick)" in shown["answer"]
    assert any("Ask at the gate" in line for line in shown["answer"]), (
        "staff also see answers that the public does not see"
    )
    assert shown["media"] == ["https://pictures.example/1.jpg"]
    assert "Ada" not in said
    with_reporter = facts(printed(run("requests", "show", request_id, "--reporter")))
    assert with_reporter["reporter"] == ["email: ada@mail.example", "first_name: Ada"]
    printed(run("requests", "erase", request_id, "--part", "reporter", "--yes"))
    erased = facts(printed(run("requests", "show", request_id, "--reporter")))
    assert erased["reporter"] == ["nothing is known"]


def test_a_request_without_an_id_is_found_by_its_token_and_by_its_number(run: Run, client: FlaskClient) -> None:
    key = new_key(run)
    token = post(client, key, service_code="trees").json[0]["token"]
    post(client, key, service_code="hotline", description="Call me")
    listed = printed(run("requests", "without-id"))
    numbers = dict(reversed(pair) for pair in re.findall(r"^ *(\d+) +\S+Z +(\w+) ", listed, re.MULTILINE))
    assert set(numbers) == {"trees", "hotline"}
    pending = printed(run("requests", "show", token))
    assert pending == printed(run("requests", "show", numbers["trees"]))
    assert pending.startswith(f"number {numbers['trees']}: trees, open, public\n")
    assert facts(pending)["token"] == [f"{token} (waits for an id)"]
    blackbox = printed(run("requests", "show", numbers["hotline"]))
    assert facts(blackbox)["description"] == ["Call me"]
    assert "token" not in facts(blackbox)
    closed = run("requests", "close", numbers["hotline"], "--outcome", "fixed", "--note", "Called back.")
    said = f"number {numbers['hotline']} is closed, fixed, "
    assert printed(closed).startswith(said)
    printed(run("worker", "--once"))
    resolved = printed(run("requests", "show", token))
    assert facts(resolved)["token"] == [f"{token} (resolved)"]
    request_id = resolved.partition(":")[0]
    assert client.get(f"/open311/v2/requests/{request_id}.json").status_code == 200
    assert "trees" not in printed(run("requests", "without-id"))


def test_an_id_is_preferred_to_a_number(run: Run, client: FlaskClient, platform: Platform) -> None:
    by_id = build.store(platform, description="by id")
    build.store(platform, service_request_id=str(by_id.number), description="has that id")
    said = printed(run("requests", "show", str(by_id.number)))
    assert facts(said)["description"] == ["has that id"]


def test_the_effect_of_a_command_is_public_immediately(run: Run, client: FlaskClient, request_id: str) -> None:
    printed(run("requests", "transfer", request_id, "--department", "port"))
    printed(run("requests", "reschedule", request_id, "--expected", "2026-12-24", "--reason", "The crew is ill."))
    changed = run("requests", "close", request_id, "--outcome", "fixed", "--note", "Filled on Tuesday.")
    assert printed(changed) == f"{request_id} is closed, fixed, in port, public (version 4).\n"
    (found,) = client.get(f"/open311/v2/requests/{request_id}.json").json
    assert found["status"] == "closed"
    assert found["status_notes"] == "Filled on Tuesday."
    assert found["agency_responsible"] == "Port of Demoville"
    assert found["expected_datetime"] == "2026-12-23T22:00:00Z", "the time is midnight in the city's zone"
    said = printed(run("requests", "show", request_id))
    assert {"status", "note", "transferred", "expected"} <= set(said.split())


def test_the_list_shows_what_waits_and_its_filters_are_those_of_the_api(run: Run, request_id: str) -> None:
    assert request_id in printed(run("requests", "list", "--department", "streets", "--assignee", "none"))
    assert request_id not in printed(run("requests", "list", "--state", "closed"))
    [item] = json.loads(printed(run("requests", "list", "--json")))["requests"]
    assert (item["service_request_id"], item["state"]) == (request_id, "assigned")
    assert "--overdue: 'maybe' is unknown" in refusal(run("requests", "list", "--overdue", "maybe"))


def test_the_option_all_lists_the_whole_queue(
    run: Run, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [build.submit(platform).service_request_id for _ in range(5)]
    first = json.loads(printed(run("requests", "list", "--json", "--page-size", "2")))
    assert (len(first["requests"]), first["cursor"] is None) == (2, False)
    assert "or --all" in printed(run("requests", "list", "--page-size", "2"))
    monkeypatch.setattr("open311.cli.requests.MAX_QUEUE_ROWS", 2)
    whole = json.loads(printed(run("requests", "list", "--json", "--all")))
    assert {one["service_request_id"] for one in whole["requests"]} == set(names)
    assert whole["cursor"] is None
    said = printed(run("requests", "list", "--all"))
    assert all(name in said for name in names)
    assert "More follow" not in said
    assert json.loads(printed(run("requests", "list", "--json", "--all", "--state", "closed"))) == {
        "requests": [],
        "cursor": None,
    }


def test_the_queues_are_counted_in_the_shell(run: Run, request_id: str) -> None:
    assert re.search(r"^ *streets +Street Works +1 +0 +1 +0 +0", printed(run("requests", "queues")), re.MULTILINE)
    [streets] = [
        one
        for one in json.loads(printed(run("requests", "queues", "--json")))["queues"]
        if one["department"] == "streets"
    ]
    assert streets["open"] == 1


def test_me_is_refused_in_the_shell_because_it_has_no_account(run: Run, request_id: str) -> None:
    for command in (("list", "--assignee", "me"), ("assign", request_id, "--account", "me")):
        assert "`me` is the account of a token" in refusal(run("requests", *command))


def test_hiding_names_the_requests_that_have_copies_of_the_texts(run: Run, platform: Platform) -> None:
    parent, child = (build.submit(platform).service_request_id for _ in range(2))
    printed(run("requests", "merge", child, "--into", parent))
    printed(run("requests", "close", parent, "--outcome", "fixed", "--note", "Ask Ada."))
    hidden = printed(run("requests", "hide", parent, "--reason", "A name."))
    assert f"{child} is merged into it and may have copies of its texts; hide that request too." in hidden
    assert "followed" not in printed(run("requests", "unhide", parent))


def test_json_of_a_request_has_its_reporter_only_if_asked(run: Run, request_id: str) -> None:
    plain = json.loads(printed(run("requests", "show", request_id, "--json")))
    assert (plain["state"], "reporter" in plain) == ("assigned", False)
    asked = ("--reporter", "--reason", "Call back.")
    assert "reporter" in json.loads(printed(run("requests", "show", request_id, "--json", *asked)))
    noted = json.loads(printed(run("requests", "note", request_id, "--text", "Seen.", "--json")))
    assert noted["history"][-1]["text"] == "Seen."


def test_every_command_of_the_domain_is_in_the_shell(run: Run) -> None:
    said = printed(run("requests", "--help"))
    words = {"unhide" if name == "show" else name.replace("_", "-") for name in orders()}
    assert words <= set(said.split())


def test_an_account_of_staff_gets_a_token_and_loses_it(run: Run, client: FlaskClient) -> None:
    added = printed(run("staff", "add", "ada", "--role", "agent", "--department", "streets")).splitlines()
    assert re.fullmatch(r"Account \d+, ada, agent of city.example: streets.", added[0])

    def status(said: str) -> int:
        token = said.splitlines()[-1]
        answer = client.get("/staff/v1/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code

    assert status(added[-1]) == 200
    more = printed(run("staff", "token", "ada", "--days", "3"))
    rotated = printed(run("staff", "rotate", "ada", "--now"))
    assert "The old tokens are no longer valid." in rotated
    assert (status(added[-1]), status(more), status(rotated)) == (401, 401, 200)
    linked = printed(run("staff", "login-link", "ada"))
    assert re.search(r"http://127.0.0.1:3111/desk/sign-in/staff_\S+$", linked.strip())
    assert client.post(linked.split("3111")[1].strip()).status_code == 303
    listed = printed(run("staff", "list"))
    assert "ada" in listed
    assert added[-1] not in listed
    printed(run("staff", "revoke", "ada"))
    assert status(rotated) == 401
    assert "'ada' of city.example is revoked" in refusal(run("staff", "rotate", "ada"))
    restored = printed(run("staff", "restore", "ada"))
    assert (status(rotated), status(restored)) == (401, 200)


def test_a_refused_account_is_not_added(run: Run) -> None:
    shown = refusal(run("staff", "add", "ada", "--role", "agent", "--days", "0"))
    assert shown == "--days: 0 is outside 1..730; a token has to expire."
    assert "Account" in printed(run("staff", "add", "ada", "--role", "agent"))


def test_an_account_is_changed_and_each_act_names_the_user_of_the_shell(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "dana")
    printed(run("staff", "add", "marco", "--role", "agent", "--department", "streets", "--label", "laptop"))
    for wrong in ((), ("--department", "port", "--all-departments")):
        assert run("staff", "change", "marco", *wrong).exit_code == 2
    changed = printed(run("staff", "change", "marco", "--role", "dispatcher", "--all-departments"))
    assert re.fullmatch(r"Account \d+, marco, dispatcher of city.example.\n", changed)
    listed = printed(run("staff", "list"))
    number = re.search(r"(\d+) laptop, until .*, never used", listed)[1]
    shown = printed(run("staff", "audit", "--account", "marco"))
    for words in ("shell:dana", "account.add", "account.change", "marco (staff:", f"token: {number}", "laptop"):
        assert words in shown
    since = (utc_now() + timedelta(days=2)).date().isoformat()  # the day after next is in the future in every zone
    assert "marco" not in printed(run("staff", "audit", "--since", since))
    last = printed(run("staff", "audit", "--most", "1")).rstrip().splitlines()
    assert last[-1] == "Only the newest 1 acts are shown; --most and --json show more."
    lines = [json.loads(line) for line in printed(run("staff", "audit", "--json", "--most", "1")).splitlines()]
    assert [(one["act"], one["actor"], one["subject_name"]) for one in lines] == [
        ("account.add", "shell:dana", "marco"),
        ("account.change", "shell:dana", "marco"),
    ]
    assert lines[1]["details"]["before"] == {"role": "agent", "departments": ["streets"]}
    assert "is no account" in refusal(run("staff", "audit", "--account", "nina"))
    assert "--since: 'soon' is not a date and time" in refusal(run("staff", "audit", "--since", "soon"))


def test_the_history_names_the_user_of_the_shell(
    run: Run, client: FlaskClient, request_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "dana; x")
    printed(run("requests", "prioritise", request_id, "--priority", "high"))
    printed(run("staff", "add", "ines", "--role", "agent"))
    printed(run("requests", "assign", request_id, "--account", "ines"))
    said = printed(run("requests", "show", request_id))
    assert re.search(r"priority +high  \(by shell:dana__x\)$", said, re.MULTILINE)
    assert re.search(r"assigned +ines  \(by shell:dana__x\)$", said, re.MULTILINE)
    assert re.search(r"received +\(by (reporter|key:\d+)\)$", said, re.MULTILINE)
    assert "state        assigned, priority high, ines" in said
    printed(run("requests", "transfer", request_id, "--department", "port"))
    said = printed(run("requests", "show", request_id))
    assert said.splitlines()[1] == "department port (transferred by shell:dana__x)"
    shown = client.get(f"/open311/v2/requests/{request_id}.json?extensions=true").text
    assert "dana" not in shown


def test_revoking_a_person_names_the_work_and_gives_it_to_somebody(run: Run, platform: Platform) -> None:
    for name, departments in (("marco", ()), ("ines", ("--department", "streets")), ("rita", ())):
        role = "reader" if name == "rita" else "agent"
        printed(run("staff", "add", name, "--role", role, *departments))
    hole, other, moved = (build.submit(platform).service_request_id for _ in range(3))
    for one in (hole, other, moved):
        printed(run("requests", "assign", one, "--account", "marco"))
    printed(run("requests", "close", other, "--outcome", "fixed"))
    printed(run("requests", "transfer", moved, "--department", "port"))
    printed(run("requests", "assign", moved, "--account", "marco"))
    changed = printed(run("staff", "change", "marco", "--department", "streets"))
    assert "1 open request is assigned to marco, who may not work on that any more" in changed
    refused = (("nina", "'nina' is no account"), ("rita", "rita is a reader and cannot work on requests"))
    for name, words in refused:
        assert words in refusal(run("staff", "revoke", "marco", "--reassign", name))
    assert run("staff", "revoke", "marco", "--reassign", "marco").exit_code == 2
    shown = printed(run("staff", "revoke", "marco"))
    assert "2 open requests are assigned to marco: number" in shown
    assert "`open311 staff revoke marco --jurisdiction city.example --reassign NAME`" in shown
    given = printed(run("staff", "revoke", "marco", "--reassign", "ines"))
    assert "1 open request is now assigned to ines." in given
    assert f"{moved} stays: ines works for streets; transfer the request there first." in given
    assert printed(run("staff", "revoke", "marco", "--reassign", "nobody")) == (
        "1 open request is now assigned to nobody.\n"
    )
    assert "given to ines" in printed(run("requests", "note", hole, "--text", "x"))
    assert "'marco' of city.example is revoked" in refusal(run("staff", "revoke", "marco"))


def test_people_of_a_removed_department_are_named(run: Run, tmp_path: Path) -> None:
    printed(run("staff", "add", "ines", "--role", "agent", "--department", "port"))
    city = tmp_path / "smaller"
    shutil.copytree(REPOSITORY / "jurisdictions" / "demo", city, ignore=shutil.ignore_patterns("*.py"))
    text = (city / "jurisdiction.toml").read_text(encoding="utf-8").replace('"port"', '"harbour"')
    (city / "jurisdiction.toml").write_text(text, encoding="utf-8")
    changed = {"OPEN311_JURISDICTIONS": str(city)}
    words = "city.example: ines works for 'port', which is gone; the account sees no requests; run `open311 staff"
    for command in (("staff", "list"), ("jurisdictions", "sync"), ("requests", "reroute")):
        assert words in printed(run(*command, **changed)), command
    assert "port (gone)" in printed(run("staff", "list", **changed))


def test_commands_need_the_option_jurisdiction_if_there_are_several_cities(run: Run) -> None:
    several = {"OPEN311_JURISDICTIONS": "demo,chicago"}
    printed(run("staff", "list", **several))
    for command in (("staff", "add", "ada", "--role", "admin"), ("requests", "list"), ("requests", "show", "1")):
        assert refusal(run(*command, **several)).startswith("--jurisdiction: is missing; send one of")
    wrong = run("requests", "list", "--jurisdiction", "nowhere.example", **several)
    assert refusal(wrong).startswith("--jurisdiction: 'nowhere.example' is not served here")


@pytest.mark.parametrize(
    "command",
    [
        "areas recompute",
        "dump",
        "forecast make",
        "publish",
        "recount",
        "retention",
        "sensors list",
        "subscriptions list",
    ],
)
def test_an_empty_jurisdiction_is_not_every_city(run: Run, command: str) -> None:
    """A shell gives "" for a variable that is not set."""
    result = run(*command.split(), "--jurisdiction", "", OPEN311_JURISDICTIONS="demo,chicago")
    assert refusal(result) == "--jurisdiction: is missing; send one of city.example, cityofchicago.org."


def test_an_erased_text_is_shown_to_neither_staff_nor_public(
    run: Run, client: FlaskClient, request_id: str
) -> None:
    printed(run("requests", "note", request_id, "--public", "--text", "Ask Ada."))
    erased = run("requests", "erase", request_id, "--part", "reporter", "--part", "notes", "--yes")
    assert printed(erased) == f"{request_id}: erased notes, reporter.\n"
    (found,) = client.get(f"/open311/v2/requests/{request_id}.json").json
    assert found["status_notes"] is None
    said = printed(run("requests", "show", request_id))
    assert re.search(r"erased +notes, reporter", said)
    assert "Ask Ada." not in said


def test_an_erasure_of_a_request_asks_and_keeps_the_reason(run: Run, request_id: str) -> None:
    words = ("requests", "erase", request_id, "--part", "description", "--reason", "Letter of 1 March.")
    asked = run(*words)
    assert asked.exit_code == 1
    assert f"Erase description of {request_id} permanently?" in asked.output
    assert "erased" not in printed(run("requests", "show", request_id))
    printed(run(*words, "--yes"))
    assert "Letter of 1 March." in printed(run("requests", "show", request_id))
    missing = run("requests", "erase", "nothing", "--part", "notes")
    assert missing.exit_code == 1
    assert "permanently" not in missing.output


def test_an_erasure_names_the_requests_that_have_copies_of_the_notes(run: Run, platform: Platform) -> None:
    parent, child, other = (build.submit(platform).service_request_id for _ in range(3))
    for merged in (child, other):
        printed(run("requests", "merge", merged, "--into", parent))
    printed(run("requests", "close", parent, "--outcome", "fixed", "--note", "Ask Ada."))
    printed(run("requests", "reopen", parent, "--reason", "It is back."))
    printed(run("requests", "unmerge", child))
    for left in ([child, other], [other], []):
        _, *shown = printed(run("requests", "erase", parent, "--part", "notes", "--yes")).splitlines()
        assert [line.split()[0] for line in shown] == left
        for name in left[:1]:
            assert printed(run("requests", "erase", name, "--part", "notes", "--yes")) == f"{name}: erased notes.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "--department", os.fsdecode(b"h\xe4fen")),
        ("requests", "show", os.fsdecode(b"\xff")),
        ("photos", "save", os.fsdecode(b"\xff"), "1", "photo.jpg"),
        ("requests", "note", "1", os.fsdecode(b"--text=caf\xe9")),
    ],
)
def test_an_argument_that_is_not_utf8_is_a_usage_error(bare_run: Run, arguments: tuple[str, ...]) -> None:
    result = bare_run(*arguments)
    assert result.exit_code == 2
    assert "Error: An argument is not UTF-8: " in result.stderr


@pytest.mark.parametrize("number", ["-1", "0", "70000"])
@pytest.mark.parametrize("option", ["--port", "--workers"])
def test_a_port_or_a_number_of_processes_outside_its_range_is_a_usage_error(
    bare_run: Run, option: str, number: str
) -> None:
    result = bare_run("serve", option, number, DATABASE_URL="postgresql://nobody@h.example/x")
    assert result.exit_code == 2
    assert f"{number} is not in the range" in result.stderr


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1", "86401", "99999999999999999999"])
@pytest.mark.parametrize("command", [("db", "migrate", "--wait"), ("conformance", "http://h.example", "--timeout")])
def test_seconds_outside_the_range_of_timers_are_a_usage_error(
    bare_run: Run, command: tuple[str, ...], seconds: str
) -> None:
    assert bare_run(*command, seconds).exit_code == 2


def test_erasing_without_a_part_is_a_usage_error(run: Run) -> None:
    result = run("requests", "erase", "1")
    assert result.exit_code == 2
    assert "Missing option '--part'" in result.stderr


def test_a_hidden_request_is_not_public(run: Run, client: FlaskClient, request_id: str) -> None:
    printed(run("requests", "hide", request_id, "--reason", "A name."))
    assert client.get(f"/open311/v2/requests/{request_id}.json").status_code == 404
    assert client.get("/open311/v2/requests.json").json == []
    printed(run("requests", "unhide", request_id))
    assert client.get(f"/open311/v2/requests/{request_id}.json").status_code == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("transfer", "--department", "nobody"),
            "department: 'nobody' is no department of city.example; use one of streets, port,",
        ),
        (("reschedule", "--expected", "soon", "--reason", "x"), "--expected: 'soon' is not a date and time;"),
        (("hold",), "--reason: is missing; give a reason for hold."),
    ],
)
def test_a_refused_command_gives_the_reason(
    run: Run, request_id: str, options: tuple[str, ...], words: str
) -> None:
    command, *more = options
    assert refusal(run("requests", command, request_id, *more)).startswith(words)


@pytest.mark.parametrize("command", [("show", "none"), ("close", "none", "--outcome", "fixed")])
def test_the_error_for_an_unknown_request_names_it(run: Run, command: tuple[str, ...]) -> None:
    assert refusal(run("requests", *command)) == (
        "service_request_id: 'none' is not a request here. See `open311 requests list --all`."
    )


def test_an_unknown_outcome_is_refused_with_the_choices(run: Run) -> None:
    result = run("requests", "close", "1", "--outcome", "done")
    assert result.exit_code == 2
    assert "'fixed', 'not_found'" in result.stderr


# --- Areas, and the runs of this machine


def test_areas_are_recomputed_for_all_or_one_city(run: Run, request_id: str) -> None:
    for arguments in ((), ("--jurisdiction", CITY)):
        said = printed(run("areas", "recompute", *arguments)).lstrip()
        assert said == f"{CITY}: 0 requests lie in other areas than before.\n"
    assert "'nowhere.example' is not served here" in refusal(
        run("areas", "recompute", "--jurisdiction", "nowhere.example")
    )


def test_a_run_with_the_database_of_an_ended_run_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", make_url(Path("/nonexistent"), "open311"))
    result = run("run")
    assert result.exit_code == 1
    assert "Run `unset DATABASE_URL` and try again." in " ".join(result.stderr.split())


def test_a_second_shell_gets_the_settings_that_differ_and_no_secret() -> None:
    own = make_url(Path("/tmp/a b"), "open311")
    changed = Settings(database_url=own, jurisdictions=("demo", "chicago"), metrics_token="s3cret", port=8080)
    assert shell_lines(changed) == [
        f"export DATABASE_URL='{own}'",
        "export OPEN311_JURISDICTIONS=demo,chicago",
        "export OPEN311_PORT=8080",
        "# export OPEN311_METRICS_TOKEN=…, as in this shell",
    ]
    assert shell_lines(Settings(database_url="postgresql://me:s3cret@db/x")) == [
        "# export DATABASE_URL=…, as in this shell"
    ]


def test_the_default_of_the_command_mcp_is_the_server_of_this_machine() -> None:
    shown = " ".join(CliRunner().invoke(main, ["mcp", "--help"]).output.split())
    assert f"[default: http://127.0.0.1:{Settings().port}/open311/v2]" in shown


# --- Commands in the documentation


PAGES = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("[!.]*/README.md"), REPOSITORY / "compose.yaml"]
PAGES += [REPOSITORY / "spec" / name for name in ("operating.md", "staff.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_command_in_the_documentation_is_valid(page: Path) -> None:
    for line in shown_commands(page.read_text(encoding="utf-8")):
        parse(line)


def test_rates_that_each_process_counts_for_itself_are_reported(
    bare_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = tmp_path / "counting"
    shutil.copytree(REPOSITORY / "jurisdictions" / "demo", city, ignore=shutil.ignore_patterns("*.py"))
    with (city / "jurisdiction.toml").open("a", encoding="utf-8") as file:
        file.write('\n[abuse]\nper_device = "20 per hour"\n')
    monkeypatch.setenv("OPEN311_WORKERS", "3")
    assert "look at: city.example: [abuse] has rates, and each of the 3 web processes counts for itself" in printed(
        bare_run("jurisdictions", "check", str(city))
    )
    monkeypatch.setenv("OPEN311_RATE_STORAGE", "redis://127.0.0.1:6379")
    assert "look at" not in printed(bare_run("jurisdictions", "check", str(city)))
