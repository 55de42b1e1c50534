from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from open311.errors import Invalid, NotFound
from open311.plugins import Department, Jurisdiction, Service
from open311.plugins.registry import GROUP, Registry, load_registry

FORM = """
id = "{id}"
name = "{id}"
time_zone = "UTC"
triage = "desk"
[[departments]]
code = "desk"
name = "Desk"
[[services]]
code = "other"
name = "Other"
"""
PACKAGE = "from open311.plugins import declared\njurisdiction = declared.load(__package__)\n"

Install = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., str]:
    """Makes a folder that declares a city; returns its path."""

    def make(name: str, jurisdiction_id: str, form: str = FORM) -> str:
        path = tmp_path / "folders" / name
        path.mkdir(parents=True)
        (path / "jurisdiction.toml").write_text(form.format(id=jurisdiction_id), encoding="utf-8")
        return str(path)

    return make


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a distribution with an entry point for each city, given as `name=(jurisdiction_id, source)`."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install_cities(**cities: tuple[str, str]) -> None:
        info = site / "cities-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cities\nVersion: 1.0\n")
        points = [f"{name} = kit_{name}:jurisdiction" for name in cities]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points]))
        for name, (jurisdiction_id, source) in cities.items():
            package = site / f"kit_{name}"
            package.mkdir()
            (package / "__init__.py").write_text(source)
            (package / "jurisdiction.toml").write_text(FORM.format(id=jurisdiction_id))
            monkeypatch.delitem(sys.modules, f"kit_{name}", raising=False)

    return install_cities


def city(jurisdiction_id: str) -> Jurisdiction:
    return Jurisdiction(
        id=jurisdiction_id,
        name=jurisdiction_id,
        time_zone="UTC",
        services=(Service(code="other", name="Other"),),
        departments=(Department("desk", "Desk"),),
        triage="desk",
    )


def registry(*ids: str, ignore_wrong_id: bool = False) -> Registry:
    return Registry({each: city(each) for each in ids}, ignore_wrong_id=ignore_wrong_id)


def test_entry_points_are_found(install: Install) -> None:
    install(alpha=("a.example", PACKAGE), beta=("b.example", PACKAGE))

    found = load_registry(["alpha", "beta"])

    assert [jurisdiction.id for jurisdiction in found] == ["a.example", "b.example"]
    assert found.faults == ()


def test_without_names_all_installed_cities_are_served(install: Install) -> None:
    install(alpha=("a.example", PACKAGE), beta=("b.example", PACKAGE))

    found = load_registry([])

    assert {"a.example", "b.example"} <= {jurisdiction.id for jurisdiction in found}


def test_only_named_cities_are_served(install: Install) -> None:
    install(alpha=("a.example", PACKAGE), beta=("b.example", PACKAGE))

    assert [jurisdiction.id for jurisdiction in load_registry(["beta"])] == ["b.example"]


def test_a_city_is_loaded_from_a_folder(folder: Callable[..., str]) -> None:
    assert [each.id for each in load_registry([folder("here", "c.example")])] == ["c.example"]


def test_the_python_of_a_folder_runs(folder: Callable[..., str]) -> None:
    city = Path(folder("coded", "c.example"))
    (city / "names.py").write_text('NAME = "Coded City"\n')
    (city / "__init__.py").write_text(
        "from dataclasses import replace\nfrom .names import NAME\n"
        + PACKAGE
        + "jurisdiction = replace(jurisdiction, name=NAME)\n"
    )
    for _ in range(2):
        assert [each.name for each in load_registry([str(city)])] == ["Coded City"]


@pytest.mark.parametrize(
    ("name", "source", "why"),
    [
        ("rules.py", "", "coded has Python but no __init__.py with `jurisdiction = …`; add that file."),
        ("__init__.py", "city = 1\n", "coded/__init__.py must define `jurisdiction`; see jurisdictions/README.md."),
    ],
)
def test_a_folder_whose_python_cannot_run_is_refused(
    folder: Callable[..., str], name: str, source: str, why: str
) -> None:
    city = Path(folder("coded", "c.example"))
    (city / name).write_text(source)
    (fault,) = load_registry([str(city)]).faults
    assert fault.public_why == why


HOOKED = """
from open311.plugins import Jurisdiction, declared
class City(Jurisdiction):
    def department_for(self, draft):
        return "desk"
"""


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (
            {"__init__.py": PACKAGE, "rules.py": ""},
            "coded: nothing imports rules.py; import it in __init__.py, or delete it.",
        ),
        (
            {"__init__.py": PACKAGE, "hooks/night.py": ""},
            "coded: nothing imports hooks/night.py; import it in __init__.py, or delete it.",
        ),
        (
            {"__init__.py": HOOKED + "jurisdiction = declared.load(__package__)\n"},
            "coded: class City is not used; write jurisdiction = declared.load(__package__, kind=City).",
        ),
        (
            {"__init__.py": PACKAGE + "def department_for(draft):\n    return 'desk'\n"},
            "coded: function department_for is never called; make it a method of a subclass of Jurisdiction.",
        ),
        ({"__init__.py": HOOKED + "jurisdiction = declared.load(__package__, kind=City)\n"}, ""),
        ({"__init__.py": PACKAGE, "test_it.py": "", "tests/conftest.py": "", ".venv/x.py": ""}, ""),
    ],
)
def test_python_that_nothing_calls_is_refused(folder: Callable[..., str], files: dict[str, str], why: str) -> None:
    city = Path(folder("coded", "c.example"))
    for name, source in files.items():
        (city / name).parent.mkdir(exist_ok=True)
        (city / name).write_text(source)
    assert [fault.public_why for fault in load_registry([str(city)]).faults] == [why] * bool(why)


def test_an_unused_class_of_an_installed_city_is_refused(install: Install) -> None:
    install(alpha=("a.example", HOOKED + "jurisdiction = declared.load(__package__)\n"))
    (fault,) = load_registry(["alpha"]).faults
    assert fault.why == "class City is not used; write jurisdiction = declared.load(__package__, kind=City)."


def test_the_public_reason_hides_the_text_of_an_exception(folder: Callable[..., str]) -> None:
    city = Path(folder("coded", "c.example"))
    (city / "__init__.py").write_text("raise RuntimeError('secret of the back office')\n")
    (fault,) = load_registry([str(city)]).faults
    assert "secret" in fault.why
    assert "secret" not in fault.public_why


@pytest.mark.parametrize("wanted", ["a.example", "A.Example"])
def test_a_jurisdiction_is_found_by_its_id(install: Install, wanted: str) -> None:
    install(alpha=("a.example", PACKAGE), broken=("b.example", "raise RuntimeError('no licence')"))

    found = load_registry([wanted])

    assert [jurisdiction.id for jurisdiction in found] == ["a.example"]
    assert found.faults == ()


def test_an_unknown_name_is_reported_as_a_fault() -> None:
    found = load_registry(["atlantis"])

    assert list(found) == []
    assert found.faults[0].name == "atlantis"
    assert "no plugin or folder is called 'atlantis'" in found.faults[0].why


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence at "),
        ("raise KeyError('x')", "kit_broken/__init__.py:1"),
        ("raise SystemError", "SystemError"),
        ("raise SystemExit", "SystemExit"),
        ("import no_such_module", "no_such_module"),
        ("def", "invalid syntax"),
        ("", "jurisdiction"),
        ("jurisdiction = {'id': 'a.example'}", "is not a Jurisdiction"),
        (
            "from dataclasses import replace\nfrom open311.plugins import declared\n"
            "jurisdiction = replace(declared.load(__package__), triage='nobody')",
            "triage names department 'nobody'",
        ),
    ],
)
def test_a_broken_plugin_does_not_stop_the_others(install: Install, source: str, why: str) -> None:
    install(broken=("b.example", source), alpha=("a.example", PACKAGE))

    found = load_registry(["broken", "alpha"])

    assert [jurisdiction.id for jurisdiction in found] == ["a.example"]
    assert [fault.name for fault in found.faults] == ["broken"]
    assert why in found.faults[0].why


def test_a_broken_folder_does_not_stop_the_others(folder: Callable[..., str]) -> None:
    good, bad = folder("good", "a.example"), folder("bad", "b.example", FORM + "colour = 1")

    found = load_registry([bad, good])

    assert [jurisdiction.id for jurisdiction in found] == ["a.example"]
    assert [fault.name for fault in found.faults] == [bad]
    assert "unknown key 'colour'" in found.faults[0].why


def test_each_fault_of_a_city_is_reported_separately(folder: Callable[..., str]) -> None:
    twice = FORM.replace('triage = "desk"', 'triage = "nobody"') + '[[services]]\ncode = "other"\nname = "Other"\n'
    bad, worse = (
        folder("bad", "a.example", twice),
        folder("worse", "b.example", "id = {{}}\nnome = 1\n" + FORM[30:]),
    )

    reasons = load_registry([bad, worse]).reasons

    assert f"{bad}: bad/jurisdiction.toml:5: triage names department 'nobody', which is not declared" in reasons
    assert f"{bad}: service 'other' is declared 2 times" in reasons
    assert f"{worse}: worse/jurisdiction.toml: id must be a string, not a table." in reasons
    assert f"{worse}: worse/jurisdiction.toml: unknown key 'nome'; did you mean name?" in reasons


def test_the_first_of_two_cities_with_the_same_id_is_served(folder: Callable[..., str]) -> None:
    first, second = folder("first", "a.example"), folder("second", "A.Example")

    found = load_registry([first, second])

    assert len(list(found)) == 1
    assert [fault.name for fault in found.faults] == [second]
    assert "a.example" in found.faults[0].why


@pytest.mark.parametrize(
    "sent", ["", " ", "a.example", "A.EXAMPLE", "www.a.example", "WWW.A.example", " a.example "]
)
def test_a_single_jurisdiction_needs_no_jurisdiction_id(sent: str) -> None:
    assert registry("a.example").find(sent).id == "a.example"


def test_a_single_jurisdiction_refuses_a_wrong_jurisdiction_id() -> None:
    with pytest.raises(NotFound, match=r"'b\.example' is not served here; send one of a\.example"):
        registry("a.example").find("b.example")


def test_a_single_jurisdiction_can_ignore_a_wrong_jurisdiction_id() -> None:
    assert registry("a.example", ignore_wrong_id=True).find("b.example").id == "a.example"


@pytest.mark.parametrize("sent", ["b.example", "www.B.example", " B.EXAMPLE"])
def test_one_of_several_jurisdictions_is_found_by_its_jurisdiction_id(sent: str) -> None:
    assert registry("a.example", "b.example").find(sent).id == "b.example"


@pytest.mark.parametrize("ignore_wrong_id", [False, True])
@pytest.mark.parametrize("sent", ["", "  "])
def test_with_several_jurisdictions_a_jurisdiction_id_is_required(sent: str, ignore_wrong_id: bool) -> None:
    with pytest.raises(Invalid, match=r"jurisdiction_id: is missing; send one of a\.example, b\.example"):
        registry("a.example", "b.example", ignore_wrong_id=ignore_wrong_id).find(sent)


@pytest.mark.parametrize("ignore_wrong_id", [False, True])
def test_with_several_jurisdictions_an_unknown_jurisdiction_id_is_not_found(ignore_wrong_id: bool) -> None:
    with pytest.raises(NotFound, match="not served here"):
        registry("a.example", "b.example", ignore_wrong_id=ignore_wrong_id).find("c.example")


def test_an_error_shows_only_the_start_of_a_long_list_of_ids() -> None:
    with pytest.raises(Invalid) as caught:
        registry(*(f"{number:02}.example" for number in range(20))).find("")

    assert str(caught.value).endswith("11.example, ….")


def test_the_built_in_cities_are_all_registered() -> None:
    installed = {point.name for point in entry_points(group=GROUP)}
    if not installed:
        pytest.skip("the project is not installed here, only on the path")
    root = Path(__file__).parents[2] / "jurisdictions"

    assert {form.parent.name for form in root.glob("*/jurisdiction.toml")} <= installed
