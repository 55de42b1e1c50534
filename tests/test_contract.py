"""Rules of this repository that no other tool checks. The message of a failed test names what is missing."""

from __future__ import annotations

import ast
import configparser
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from flask import Flask

from open311.cli.documents import OPENAPI, make_openapi
from open311.errors import Open311Error
from open311.observe import loggable
from open311.settings import Settings, variable
from open311.web.access import ANYBODY, Access
from open311.web.endpoints import City, Endpoint
from open311.web.errors import STATUSES
from open311.web.surfaces import SURFACES, ErrorShape, surface_of
from schemas.arguments import Arguments
from spec.requirements import requirements

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("open311", "schemas", "jurisdictions", "spec")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
CLOCKS = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns|localtime|gmtime))\b")
# The conformance suite imports nothing from the server, so it has its own clock.
CLOCK_READERS = {"open311/clock.py", "spec/conformance/probe.py", "spec/conformance/runner.py"}
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|home|Users)/\w")
# A release in a lock: name, version, environment marker, hashes.
LOCKED = re.compile(
    r"[a-z0-9.-]+(\[[a-z0-9, -]+\])?==[\w.!+]+( ; [\w.'<>=!() -]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
)
# URLs for people, programs and load balancers, which are not part of the API.
OUTSIDE_OPENAPI = {
    "/",
    "/docs",
    "/docs/<path:name>",
    "/docs/extensions",
    "/docs/georeport-v2",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
}


def is_portal(path: str) -> bool:
    """Whether a path has a page for people, which OpenAPI does not describe."""
    return surface_of(path).errors is ErrorShape.PAGE


OTHER_VARIABLES = {"OPEN311_CONFORMANCE_KEY"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the repository that git tracks or does not ignore."""
    output = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if output.returncode:
        pytest.skip("this folder is not a git repository")
    names = output.stdout.decode().split("\0")
    return tuple(path for name in names if name and (path := REPOSITORY / name).is_file())


def texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    """Name and text of every tracked file, or only of the files with one of these suffixes."""
    for path in tracked():
        if not suffixes or path.suffix in suffixes:
            try:
                yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


@dataclass(frozen=True, slots=True)
class Module:
    """What the tests need to know of a module. Its syntax tree is not kept, because it needs a lot of memory.

    imports    every module, and every name of a module, that it imports
    calls      the names of the called functions, for example `time.sleep`
    is_silent  whether it has code and no docstring
    """

    name: str
    imports: frozenset[str]
    calls: frozenset[str]
    is_silent: bool


@cache
def every_module() -> tuple[Module, ...]:
    """Every module of the repository. An example is a separate package."""
    return tuple(
        _read(name, ast.parse(text)) for name, text in texts(".py") if not name.startswith("spec/examples/")
    )


def _read(name: str, tree: ast.Module) -> Module:
    imports: set[str] = set()
    calls = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call):
            calls.add(ast.unparse(node.func))
    return Module(name, frozenset(imports), frozenset(calls), bool(tree.body) and not ast.get_docstring(tree))


def modules(folder: str) -> Iterator[Module]:
    """Every module in a folder."""
    return (module for module in every_module() if module.name.startswith(f"{folder}/"))


# --- HTTP


def errors(kind: type[Open311Error] = Open311Error) -> Iterator[type[Open311Error]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("open311."):
            yield child
            yield from errors(child)


def test_every_error_has_a_status() -> None:
    for name in importable():
        import_module(name)
    missing = set(errors()) - set(STATUSES)
    assert not missing, f"web/errors.STATUSES lacks {missing}"


def test_every_url_has_a_docstring(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        assert view.__doc__, f"{rule.rule}: the view {view.__name__} has no docstring"


def test_every_url_is_in_openapi(app: Flask) -> None:
    paths = json.loads(make_openapi())["paths"]
    for rule in app.url_map.iter_rules():
        if rule.rule in OUTSIDE_OPENAPI or rule.endpoint.endswith("_by_accept") or is_portal(rule.rule):
            continue
        path = re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule)
        assert path in paths, f"{rule.rule} is missing in OpenAPI and in OUTSIDE_OPENAPI"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert paths[path][method.lower()].get("summary"), f"{method} {path} has no summary"


def declared_of(app: Flask, endpoint: str) -> Endpoint:
    """The declaration of the view of an endpoint."""
    declaration = getattr(app.view_functions[endpoint], "endpoint", None)
    assert isinstance(declaration, Endpoint), f"{endpoint}: declare the view with web.endpoints.endpoint"
    return declaration


def test_every_url_declares_its_parameters_and_access(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        declared = declared_of(app, rule.endpoint)
        assert declared.surface in SURFACES, f"{rule.rule}: its surface is not in web/surfaces.py's table"
        assert isinstance(declared.access, Access), f"{rule.rule}: name its access rule, see web/access.py"
        assert issubclass(declared.reads, Arguments), (
            f"{rule.rule}: declare its parameters, or NoArguments if it has none"
        )
        parts = set(re.findall(r"<(?:[^:>]+:)?(\w+)>", declared.rule))
        assert (declared.city is City.IN_PATH) == ("jurisdiction_id" in parts), (
            f"{rule.rule}: City.IN_PATH does not match the parameters of the path"
        )


def test_surface_of_a_path_is_the_surface_of_its_endpoint(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        surface = declared_of(app, rule.endpoint).surface
        assert surface_of(rule.rule) is surface, f"{rule.rule}: web/surfaces.py finds another surface for this path"


def test_no_secret_of_a_path_is_logged(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if "secret" in rule.arguments:
            path = re.sub(r"<(?:[^:>]+:)?secret>", "s3cr3t", rule.rule)
            assert "s3cr3t" not in loggable(path), f"{rule.rule}: the log would have the secret; see observe.py"


def test_every_writing_endpoint_has_an_access_rule(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        declared = declared_of(app, rule.endpoint)
        is_open = declared.access is ANYBODY
        assert declared.method in ("GET", "HEAD") or not is_open, (
            f"{rule.rule}: {declared.method} is open to anybody; declare an access rule"
        )


def test_every_parameter_has_a_description(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        declared = declared_of(app, rule.endpoint)
        for name, parameter in declared.reads().parameters.items():
            assert parameter.metadata.get("description"), f"{declared.reads.__name__}.{name} has no description"


def test_openapi_is_up_to_date() -> None:
    stored = (REPOSITORY / OPENAPI).read_bytes()
    assert stored == make_openapi(), "run `make openapi`"


# --- Layers that import-linter cannot see


def test_public_reads_import_no_module_of_the_record_table() -> None:
    for module in modules("open311/web"):
        assert "open311.storage.requests" not in module.imports, (
            f"{module.name}: use operations, because the records are for staff only"
        )
    for module in modules("open311/operations/reading"):
        storage = {found for found in module.imports if found.startswith("open311.storage.")}
        assert not {found for found in storage if re.search(r"\.(requests|submissions|tables)\b", found)}, (
            f"{module.name}: public reads may use publications and tokens only"
        )


def test_cities_import_only_open311_plugins() -> None:
    for module in modules("jurisdictions"):
        ours = {found for found in module.imports if found.split(".")[0] in PACKAGES}
        assert all(found.startswith("open311.plugins") for found in ours), f"{module.name} imports {ours}"


def importable() -> list[str]:
    """The name of every module whose import must have no side effects."""
    return [
        module.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for package in PACKAGES
        for module in modules(package)
        if not module.name.endswith(("__main__.py", "migrations/env.py"))
    ]


QUIET_IMPORT = """
import importlib, sys, threading

def refuse(event, arguments):
    if event in ("socket.connect", "subprocess.Popen", "os.mkdir", "os.remove"):
        raise SystemExit(f"{event} while importing: {arguments}")

def forbidden(*arguments, **keywords):
    raise SystemExit("the clock or the settings were read while importing")

importlib.import_module("open311.clock").utc_now = forbidden
importlib.import_module("open311.settings").Settings.from_environ = forbidden
importlib.import_module("procrastinate")  # its dependency croniter runs `file` while it is imported
names = sys.stdin.read().split()
sys.addaudithook(refuse)
sys.dont_write_bytecode = True
for name in names:
    importlib.import_module(name)
if threading.active_count() > 1:
    raise SystemExit("a thread was started while importing")
"""


def test_importing_a_module_has_no_side_effects() -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUIET_IMPORT],
        input="\n".join(importable()),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")


def test_only_the_clock_modules_read_the_wall_clock() -> None:
    for name, text in texts(".py"):
        if name.startswith(tuple(f"{package}/" for package in PACKAGES)) and name not in CLOCK_READERS:
            match = CLOCKS.search(text)
            assert not match, f"{name} reads {match[0]}; take `now`, or call clock.utc_now"


# --- Style


def test_only_the_cli_prints() -> None:
    for package in ("open311", "schemas", "jurisdictions"):
        for module in modules(package):
            if not module.name.startswith("open311/cli/"):
                assert "print" not in module.calls, f"{module.name} prints; log it"


def test_no_test_sleeps() -> None:
    for module in modules("tests"):
        if not module.name.startswith("tests/benchmarks/"):
            assert not {"time.sleep", "sleep"} & module.calls, (
                f"{module.name} sleeps; wait for the event with tests.waiting.until"
            )


def test_no_module_has_a_banned_name() -> None:
    for path in tracked():
        if path.suffix == ".py":
            assert not BANNED_NAMES & {path.stem, *path.relative_to(REPOSITORY).parts}, (
                f"{path}: rename it with a noun that says what it contains"
            )


def test_every_module_has_a_docstring() -> None:
    for package in PACKAGES:
        for module in modules(package):
            assert not module.is_silent, f"{module.name} has no docstring"


# --- Lists and documents that must agree


def test_every_city_is_registered() -> None:
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    registered = {
        line.split("=")[0].strip(): line.split("=")[1].strip()
        for line in setup["options.entry_points"]["open311.jurisdictions"].strip().splitlines()
    }
    folders = {
        path.parent.name
        for path in tracked()
        if path.match("jurisdictions/*/__init__.py") and path.parts[-4] != "tests"
    }
    assert registered == {name: f"jurisdictions.{name}:jurisdiction" for name in folders}


def test_every_city_is_in_the_guide() -> None:
    guide = (REPOSITORY / "jurisdictions" / "README.md").read_text(encoding="utf-8")
    for path in tracked():
        if path.match("jurisdictions/*/jurisdiction.toml"):
            assert f"| `{path.parent.name}` |" in guide, f"jurisdictions/README.md lacks {path.parent.name}"


def test_every_variable_in_the_documentation_exists() -> None:
    known = {variable(row) for row in fields(Settings)} | OTHER_VARIABLES
    for name, text in texts(".md", ".yaml", ".toml", ".cfg", ""):
        for found in re.findall(r"\bOPEN311_[A-Z0-9_]+\b", text):
            assert found.removesuffix("_FILE") in known, f"{name} mentions {found}, which is not a setting"


def test_locks_contain_releases_with_hashes_and_no_index() -> None:
    locks = [(name, text) for name, text in texts() if name.startswith(".lock/")]
    assert locks
    for name, text in locks:
        rest = LOCKED.sub("", text)
        assert not rest, f"{name}: a lock may have releases and hashes only, and no index; {rest[:80]!r}"


def test_the_programs_of_the_benchmark_can_be_imported() -> None:
    alone = ("__main__", "breaking", "delivering", "failover", "growing", "importing", "killing", "partitioning")
    for name in (*alone, "pooling", "queueing", "subscribing", "sums", "uploading"):
        import_module(f"tests.benchmarks.{name}")  # no test runs these programs


def test_migrations_are_numbered_without_gaps() -> None:
    folder = REPOSITORY / "open311" / "storage" / "migrations" / "versions"
    numbers = sorted(path.name[:4] for path in folder.glob("[0-9]*.py"))
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_every_decision_is_in_the_index() -> None:
    folder = REPOSITORY / "spec" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    assert re.findall(r"^\| \[\d{4}\]\((.+?)\) \|", index, re.MULTILINE) == files
    for name in files:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {name[:4]}"), f"{name}: the title starts with its number"
        parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
        assert parts[:2] == ["Question", "Decision"], f"{name}: the first parts must be Question and Decision"
        assert {"Consequence", "Why"} & set(parts), f"{name}: a part Consequence or Why is missing"


def test_every_requirement_marked_on_a_test_exists() -> None:
    for name, text in texts(".py"):
        for number in re.findall(r"mark\.requirement\(\"(\w+)\"", text):
            assert number in requirements(), f"{name} proves {number}, which spec/georeport-v2.md lacks"


REFERENCE = re.compile(r"(?<![\w%.:/-])(?:[ABCDEFJKNPSTV]\d{1,3}|(?<=\()R\d+)(?!\w|:\d|-)")
"""A rule's number, such as A24, C203 or K9."""
SECTION = re.compile(r"\((?:GeoReport )?\d\.\d+(?:, [^)]*)?\)|(?<!RFC \d{4}, )\bsections? \d")
"""The number of a section. Our pages do not number their sections."""
OTHER_NAMES = frozenset({"S256"})
"""Names of other standards that look like a rule: a method of PKCE (RFC 7636)."""
DECISIONS = re.compile(r"decisions?[ /]\(?\d{4}(?:(?:, | to | and )\d{4})*")


def decisions_in(text: str) -> set[str]:
    """The numbers of the decisions that a text refers to."""
    return {number for span in DECISIONS.findall(text) for number in re.findall(r"\d{4}", span)}


@cache
def prose(name: str, text: str) -> str:
    """The prose of a file: Markdown without code blocks, or the comments, docstrings and texts of Python."""
    if name.endswith(".md"):
        return re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    comments = [
        re.sub(r"noqa: [A-Z0-9, ]+", "", token.string) for token in tokens if token.type == tokenize.COMMENT
    ]
    strings = [token.string for token in tokens if token.type == tokenize.STRING]
    if name.startswith("tests/"):  # other strings there are data
        strings = [string for string in strings if string.startswith('"""')]
    return "\n".join([*comments, *strings])


def test_every_rule_that_a_text_refers_to_exists() -> None:
    standard = (REPOSITORY / "spec" / "georeport-v2.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| ([AC]\d+) \|", standard, re.MULTILINE)) | set(requirements())
    for name, text in texts(".py", ".md"):
        if set(REFERENCE.findall(text)) <= known | OTHER_NAMES:
            continue  # so are those of its prose, and finding the prose of Python takes long
        unknown = set(REFERENCE.findall(prose(name, text))) - known - OTHER_NAMES
        assert not unknown, (
            f"{name} refers to {sorted(unknown)}, which neither georeport-v2.md nor extensions.md has"
        )


def test_no_text_refers_to_a_numbered_section() -> None:
    for name, text in texts(".py", ".md"):
        match = SECTION.search(text) and SECTION.search(prose(name, text))
        assert not match, f"{name} refers to {match[0]}; name the rule, such as A24, or the page"


def test_every_decision_that_a_text_refers_to_exists() -> None:
    known = {path.name[:4] for path in (REPOSITORY / "spec" / "decisions").glob("[0-9]*.md")}
    for name, text in texts(".py", ".md"):
        if decisions_in(text) <= known:
            continue  # so are those of its prose
        numbers = decisions_in(prose(name, text))
        assert numbers <= known, f"{name} refers to decision {sorted(numbers - known)}, which spec/decisions/ lacks"


def test_every_link_leads_to_a_file() -> None:
    for name, text in texts(".md"):
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if not re.match(r"[a-z]+:|#", target):
                file = (REPOSITORY / name).parent / target.partition("#")[0]
                assert file.exists(), f"{name} links to {target}, which does not exist"


def test_no_file_contains_a_path_of_a_developers_machine() -> None:
    for name, text in texts():
        match = MACHINE_PATH.search(text)
        assert not match, f"{name}: {text[match.start() : match.start() + 60]!r}"
