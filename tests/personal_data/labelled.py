"""Reads the labelled texts and compares what the finders find with the labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from open311.domain.personal_data import DataKind, Hit, find_personal_data

FOLDER = Path(__file__).parents[1] / "samples" / "personal_data"
HALVES = ("dev", "held-back")
LANGUAGES = ("en", "es", "de", "fr")
_LABEL = re.compile(r"\{(\w+)\|([^}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A text, the personal data in it, and the settings of the city to which it was sent."""

    text: str
    labels: frozenset[Hit]
    region: str
    plates: str

    def found(self) -> frozenset[Hit]:
        return frozenset(find_personal_data(self.text, region=self.region, plates=self.plates))


@dataclass
class Score:
    """Counts of right hits, of wrong hits and of missed labels, by kind."""

    right: Counter[DataKind] = field(default_factory=Counter)
    wrong: Counter[DataKind] = field(default_factory=Counter)
    missed: Counter[DataKind] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def add(self, one: Labelled) -> None:
        found = one.found()
        for counter, hits in (
            (self.right, found & one.labels),
            (self.wrong, found - one.labels),
            (self.missed, one.labels - found),
        ):
            counter.update(hit.kind for hit in hits)
        for word, hits in (("wrong", found - one.labels), ("missed", one.labels - found)):
            self.errors += [f"{word} {hit.kind} {one.text[hit.start : hit.end]!r} in {one.text!r}" for hit in hits]

    def precision(self, kind: DataKind) -> float:
        return self.right[kind] / ((self.right[kind] + self.wrong[kind]) or 1)

    def recall(self, kind: DataKind) -> float:
        return self.right[kind] / ((self.right[kind] + self.missed[kind]) or 1)


def read(half: str, language: str) -> Iterator[Labelled]:
    """The texts of a file. Lines with `#` say for which city the following texts are."""
    city = {"region": "", "plates": ""}
    for line in (FOLDER / f"{half}-{language}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            name, _, value = line[2:].partition(":")
            city[name] = value.strip()
        else:
            yield _labelled(line, **city)


def _labelled(line: str, *, region: str, plates: str) -> Labelled:
    text, labels, place = "", set[Hit](), 0
    for label in _LABEL.finditer(line):
        text += line[place : label.start()]
        labels.add(Hit(DataKind(label[1]), len(text), len(text) + len(label[2])))
        text += label[2]
        place = label.end()
    return Labelled(text=text + line[place:], labels=frozenset(labels), region=region, plates=plates)


def measure(texts: Iterable[Labelled]) -> Score:
    """The score of all these texts."""
    score = Score()
    for one in texts:
        score.add(one)
    return score
