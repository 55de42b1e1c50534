from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from open311.plugins.declared.lines import Lines

TEXT = '''# A comment
id = "x"

about = """
[[routes]]
area = "no route"
"""

# The first one
[[routes]]
department = "a"
answers = {
  KIND = "b",
}
hours = [
  # an inner comment
  "08:00-16:00",
]

[routes.inner]
key = 1

[[routes]]

area = "Harbour"
'''
DEMO = Path(__file__).parents[2] / "jurisdictions" / "demo"


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    (tmp_path / "jurisdiction.toml").write_text(TEXT)
    return Lines(tmp_path)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("id",), 2),
        (("about",), 4),
        (("routes", 0), 10),
        (("routes", 0, "department"), 11),
        (("routes", 0, "answers"), 12),
        (("routes", 0, "hours"), 15),
        (("routes", 0, "inner", "key"), 21),
        (("routes", 1), 23),
        (("routes", 1, "area"), 25),
    ],
)
def test_a_value_begins_on_its_line(lines: Lines, tmp_path: Path, path: tuple[str | int, ...], line: int) -> None:
    assert lines.place(path) == f"{tmp_path.name}/jurisdiction.toml:{line}"


@pytest.mark.parametrize("path", [("routes", 2), ("nothing",), ("id", "x"), ("routes", "x")])
def test_a_missing_value_has_no_line(lines: Lines, path: tuple[str | int, ...]) -> None:
    assert lines.place(path) == ""


def test_a_city_without_a_readable_file_has_no_lines(tmp_path: Path) -> None:
    assert Lines(None).place(("id",)) == ""
    assert Lines(tmp_path).place(("id",)) == ""
    (tmp_path / "jurisdiction.toml").write_text("id = ")
    assert Lines(tmp_path).place(("id",)) == ""


def test_the_lines_of_a_whole_city_are_right() -> None:
    text = (DEMO / "jurisdiction.toml").read_text(encoding="utf-8").splitlines()
    document = tomli.loads("\n".join(text))
    for number, route in enumerate(document["routes"]):
        place = Lines(DEMO).place(("routes", number, "department"))
        assert text[int(place.rpartition(":")[2]) - 1] == f'department = "{route["department"]}"'
