"""The form of an item of the catalogue that an admin may override: its fields, and what a sent form means.

A list of choices is a text with one `key = name` a line. Questions are numbered in the order of the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from open311.domain.overrides import Item, OverrideKind
from open311.web.portal.staff.command_forms import FormField
from schemas.texts import Message, tell

Texts = Mapping[str, str]
LABELS: Mapping[str, Message] = {
    "text": tell("Text"),
    "name": tell("Name"),
    "description": tell("Description"),
    "group": tell("Group"),
    "keywords": tell("Other words for it"),
    "notice": tell("What the reporter reads after sending"),
}
QUESTION_LABELS: Mapping[str, Message] = {
    "place": tell("Place in the form"),
    "description": tell("Question"),
    "datatype_description": tell("Hint how to answer"),
    "required": tell("Nobody can send the report without an answer"),
    "values": tell("Choices, one on each line: key = name"),
}
HINTS: Mapping[str, Message] = {
    "text": tell("It may have {{department}}, {{service}}, {{address}}, {{date}} and {{into}}."),
    "keywords": tell("One on each line. The search finds the service by them."),
}
_LONG = ("text", "description", "keywords", "notice", "values")
_ARROW = " = "


@dataclass(frozen=True)
class Question:
    """The fields of one question. With the code "", they are the fields of the item itself."""

    code: str
    title: str
    fields: Sequence[FormField]


def questions_of(
    item: Item, base: Mapping[str, Any], texts: Texts, faults: Mapping[str, Message]
) -> list[Question]:
    """The fields of the form of an item.

    base   what the files say
    texts  what the fields hold
    """
    written = texts_of(item, base)
    fields = [
        _field(name, LABELS[name], texts, written, faults.get(name), HINTS.get(name))
        for name in base
        if name != "attributes"
    ]
    found = [Question("", "", fields)] if fields else []
    for number, (code, title, names) in enumerate(_questions(item, base), 1):
        own = [_field(f"{number}.{name}", QUESTION_LABELS[name], texts, written, None, None) for name in names]
        found.append(Question(code, title, own))
    return found


def _field(
    name: str, label: Message, texts: Texts, written: Texts, fault: Message | None, hint: Message | None
) -> FormField:
    kind = name.rpartition(".")[2]
    text, before = texts.get(name, ""), written[name]
    if kind not in ("required", "place") and text != before:
        shown = before.replace("\n", " / ") or "–"
        hint = tell("The city's files say: {text}", text=shown)
    return FormField(
        f"attribute[{name}]",
        "flag" if kind == "required" else "area" if kind in _LONG else "text",
        label,
        hint=hint,
        value=text,
        fault=fault,
    )


def _questions(item: Item, base: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The code, the title and the fields of each question of an item."""
    questions = base.get("attributes", ())
    if item.kind is OverrideKind.FORM:
        for one in questions:
            names: tuple[str, ...] = ("place", "description", "datatype_description", "required")
            yield one["code"], one["description"], (*names, "values") if one["values"] else names
    else:
        for code, texts in dict(questions).items():
            names = ("description", "datatype_description")
            yield code, code, (*names, "values") if texts["values"] else names


def texts_of(item: Item, value: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What the fields of the form hold for a value. `base`: the files' value, whose order numbers the questions."""
    base = value if base is None else base
    found = {
        name: "\n".join(part) if isinstance(part, list) else part
        for name, part in value.items()
        if name != "attributes"
    }
    order = [one["code"] for one in value["attributes"]] if item.kind is OverrideKind.FORM else []
    for number, (code, _, names) in enumerate(_questions(item, base), 1):
        place = order.index(code) if order else 0
        question = value["attributes"][place if order else code]
        plain = {
            **{name: question.get(name, "") for name in names},
            "place": str(place + 1),
            "required": "true" if question.get("required") else "",
            "values": _lines_of(question["values"]),
        }
        found |= {f"{number}.{name}": plain[name] for name in names}
    return found


def _lines_of(values: Any) -> str:
    pairs = values.items() if isinstance(values, Mapping) else ((one["key"], one["name"]) for one in values)
    return "\n".join(f"{key}{_ARROW}{name}" for key, name in pairs)


def value_of(item: Item, base: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """The value that a sent form means, with the keys of the city's files. A field that was not sent is blank."""
    value: dict[str, Any] = {
        name: _lines(texts.get(name, "")) if isinstance(part, list) else texts.get(name, "")
        for name, part in base.items()
        if name != "attributes"
    }
    if item.kind is OverrideKind.FORM:
        value["attributes"] = _sent_questions(base, texts)
    elif "attributes" in base:
        value["attributes"] = {
            code: _sent_translation(number, names, base["attributes"][code], texts)
            for number, (code, _, names) in enumerate(_questions(item, base), 1)
        }
    return value


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _sent_questions(base: Mapping[str, Any], texts: Texts) -> list[dict[str, Any]]:
    """The questions in the order of their places. Two in one place stay in the order of the files."""
    found: list[tuple[float, dict[str, Any]]] = []
    for number, one in enumerate(base["attributes"], 1):
        question = {
            "code": one["code"],
            "description": texts.get(f"{number}.description", ""),
            "datatype_description": texts.get(f"{number}.datatype_description", ""),
            "required": texts.get(f"{number}.required") == "true",
        }
        if one["values"]:
            known = [value["key"] for value in one["values"]]
            pairs = _choices(texts.get(f"{number}.values", ""), known)
            question["values"] = [{"key": key, "name": name} for key, name in pairs]
        place = texts.get(f"{number}.place", "").strip()
        found.append((int(place) if place.isascii() and place.isdigit() and len(place) < 9 else number, question))
    return [question for _, question in sorted(found, key=lambda pair: pair[0])]


def _sent_translation(number: int, names: Sequence[str], base: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    value: dict[str, Any] = {name: texts.get(f"{number}.{name}", "") for name in names if name != "values"}
    if "values" in names:
        value["values"] = dict(_choices(texts.get(f"{number}.values", ""), list(base["values"])))
    return value


def _choices(text: str, known: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of a key and a name, one for each line `key = name`.

    A known key may itself contain ` = `. A known key with ` =` and no name has the name "". In a line without
    ` = `, the whole line is both the key and the name.
    """
    found = []
    for line in _lines(text):
        key = next((key for key in sorted(known, key=len, reverse=True) if line.startswith(f"{key}{_ARROW}")), "")
        if key:
            name = line.removeprefix(f"{key}{_ARROW}")
        elif line.removesuffix(_ARROW.rstrip()) in known:
            key, name = line.removesuffix(_ARROW.rstrip()), ""
        else:
            key, sign, name = line.partition(_ARROW)
            name = name if sign else line
        found.append((key.strip() if key not in known else key, name.strip()))
    return found
