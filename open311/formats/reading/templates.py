"""Templates that make the text of a field from columns: `street` alone, or `{street!}, {city|borough}`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

Columns = Mapping[str, str]
"""One row of a file: the name of each column, as `plain_name` spells it -> its text."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_SLOT = re.compile(r"\{([^{}]*)\}")


@lru_cache(maxsize=4_096)
def plain_name(name: str) -> str:
    """The name in lower case, with one _ between words: `Unique Key` and `Unique-Key ` are both `unique_key`."""
    return _NOT_IN_NAMES.sub("_", name.lower()).strip("_")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template for a column. If it names several columns, the first that is not empty is used.

    before     the text before the slot. `Template` explains when it is written
    is_needed  whether the whole text is empty if the slot is empty
    """

    before: str
    names: tuple[str, ...]
    is_needed: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """A template for rows in which certain columns are not empty. Each part is a text and the column after it."""

    parts: tuple[tuple[str, str], ...]
    after: str

    @property
    def column(self) -> str:
        """The name of the column if the recipe is only one column, otherwise ""."""
        is_alone = len(self.parts) == 1 and not self.parts[0][0] and not self.after
        return self.parts[0][1] if is_alone else ""

    def text(self, columns: Columns) -> str:
        """The text for a row that has all columns of the recipe."""
        return "".join([word + columns[name] for word, name in self.parts]) + self.after


@dataclass(frozen=True, slots=True)
class Template:
    """A text with columns in it.

    The words before a column are left out if the column is empty. They are also left out if all earlier columns are
    empty, unless the column is the first of the template.

    text   the template in the column map
    after  the words after the last column
    """

    text: str
    slots: tuple[Slot, ...]
    after: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns in the template."""
        return tuple(name for slot in self.slots for name in slot.names)

    def recipe(self, present: Collection[str]) -> Recipe | None:
        """The recipe for rows in which only these columns are not empty. None if such a row gives no text."""
        parts: list[tuple[str, str]] = []
        for slot in self.slots:
            name = next((name for name in slot.names if name in present), "")
            if name:
                parts.append((slot.before if parts or slot is self.slots[0] else "", name))
            elif slot.is_needed:
                return None
        return Recipe(tuple(parts), self.after) if parts else None


def read_template(text: str) -> Template:
    """Parse a template such as `{street!}, {city|borough}`. If a column with `!` is empty, the whole text is empty.

    A text without braces is the name of one column. Raises ValueError, with a sentence, if the braces are wrong.
    """
    if "{" not in text and "}" not in text:
        return Template(text, (_slot("", text, text),))
    parts = _SLOT.split(text)
    if any(sign in part for part in parts[::2] for sign in "{}"):
        raise ValueError(f"has a brace without its other half: {text!r}.")
    slots = [_slot(before, inner, text) for before, inner in zip(parts[::2], parts[1::2], strict=False)]
    return Template(text, tuple(slots), parts[-1])


def _slot(before: str, inner: str, text: str) -> Slot:
    is_needed = inner.endswith("!")
    names = tuple(plain_name(name) for name in inner.removesuffix("!").split("|"))
    if not all(names):
        raise ValueError(f"names no column: {text!r}.")
    return Slot(before, names, is_needed)
