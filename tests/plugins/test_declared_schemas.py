from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from open311.domain.seasons import Season
from open311.plugins import Attribute, Misconfigured, Service, declared
from open311.plugins.declared.faults import explain
from open311.plugins.declared.keys import Choice
from open311.plugins.declared.reference import README, all_tables, renew
from open311.plugins.declared.schemas import FORM, AttributeTable, ServiceTable

REPOSITORY = Path(__file__).parents[2]
DEMO = REPOSITORY / "jurisdictions" / "demo" / "jurisdiction.toml"
FAULTY = """
id = "city.example"
name = "Yourcity"
time_zone = "UTC"
triage = "desk"
[[services]]
code = "pothole"
name = "Pothole"
keyword = "hole"
[[services.attributes]]
code = "SURFACE"
description = "Which?"
required = "yes"
"""
SERVICE, ATTRIBUTE = ServiceTable(), AttributeTable()
EXAMPLES: dict[str, Any] = {
    "office_hours": {"mon": "08:00-16:00"},
    "level": "4 days",
    "weekdays": "mon",
    "first": "2026-01-05",
    "last": "2026-01-06",
    "url": "https://works.example",
    "token_url": "https://login.example/token",
    "secret": {"env": "SECRET"},
    "client_secret": {"env": "SECRET"},
    "folder": "/srv/works",
    "to": "works@city.example",
    "lat": 60.17,
    "long": 24.94,
}
KEYS = st.sampled_from([*FORM.fields, *SERVICE.fields, *ATTRIBUTE.fields, "key", "_schema", "x"])
LEAVES = st.text(max_size=3) | st.integers() | st.booleans() | st.floats() | st.dates()
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)


@given(st.dictionaries(KEYS, TREES))
def test_each_fault_of_any_data_is_a_sentence(data: dict[str, Any]) -> None:
    try:
        FORM.read(data)
    except ValidationError as error:
        sentences = list(explain(FORM, error.messages, data, "here"))
        assert sentences
        assert all(sentence.startswith("here") and sentence.endswith((".", "?")) for sentence in sentences)


def test_valid_tables_are_read_as_marshmallow_loads_them() -> None:
    data = tomli.loads(DEMO.read_text(encoding="utf-8"))
    assert FORM.read(data) == FORM.load(data)
    for service in data["services"]:
        assert SERVICE.read(service) == Service(**SERVICE.load(service))
        for attribute in service.get("attributes", ()):
            assert ATTRIBUTE.read(attribute) == Attribute(**ATTRIBUTE.load(attribute))


def test_the_schemas_have_the_fields_and_defaults_of_the_domain() -> None:
    """The domain does not use the schemas, so the schemas and the domain both declare the fields."""
    for table in all_tables():
        if dataclasses.is_dataclass(table.makes):
            names = {field.attribute or key for key, field in table.fields.items()}
            assert names == {field.name for field in dataclasses.fields(table.makes)}
            required = {
                key: EXAMPLES.get(key) or word_for(key, field)
                for key, field in table.fields.items()
                if field.required
            }
            if table.makes is not Season:
                loaded = table.load(required)
                assert table.read(required) == table.makes(**{key: loaded[key] for key in required})


def word_for(key: str, field: Any) -> str:
    """A valid value of a required key."""
    return next(iter(field.choices)) if isinstance(field, Choice) else key


def test_the_readme_describes_every_key_of_the_schemas() -> None:
    text = (REPOSITORY / README).read_text(encoding="utf-8")

    assert {table.header for table in all_tables()} == set(re.findall("<!-- keys: (.+) -->", text))
    assert text == renew(text), f"{README} does not match open311/plugins/declared/schemas.py: run `make keys`"


def test_the_faults_in_the_readme_are_the_reported_ones(tmp_path: Path) -> None:
    text = (REPOSITORY / README).read_text(encoding="utf-8")
    folder = tmp_path / "yourcity"
    folder.mkdir()
    (folder / "jurisdiction.toml").write_text(FAULTY, encoding="utf-8")

    with pytest.raises(Misconfigured) as caught:
        declared.load(folder)

    assert f"```\n{caught.value}\n```" in text
