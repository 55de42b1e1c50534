"""How often a right service is among the suggestions, compared with BM25, which is a usual ranking by words."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from open311.domain.service_model import ServiceModel
from open311.domain.services import Service
from open311.errors import Misconfigured
from open311.operations.suggesting.suggest import Offered, ranked, texts_by_language
from open311.plugins import Jurisdiction
from schemas.limits import MOST_SUGGESTIONS

INSTALL = "pip install 'open311-server[suggest]'"
COLUMNS = ("jurisdiction_id", "codes", "text")
"""The columns of a file of sentences. `codes` are all services that are right, with | between them."""
_NAME, _KEYWORDS = 3, 2
"""How often BM25 gets the words of the name and of the keywords; it gets those of the description once."""

Ranking = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and the codes of all services that would be right."""

    text: str
    codes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """For how many sentences the first suggestion is right, and for how many one of the first three is right."""

    sentences: int
    first: int
    among_three: int


def score(ranking: Ranking, sentences: Iterable[Sentence]) -> Score:
    """How well a ranking of codes finds the services of sentences."""
    found = [(one.codes, ranking(one.text)[:MOST_SUGGESTIONS]) for one in sentences]
    return Score(
        sentences=len(found),
        first=sum(bool(codes.intersection(ranks[:1])) for codes, ranks in found),
        among_three=sum(bool(codes.intersection(ranks)) for codes, ranks in found),
    )


def own_ranking(offered: Offered, model: ServiceModel | None = None) -> Ranking:
    """The ranking of this server."""
    return lambda text: ranked(offered, text, model)


def bm25_ranking(city: Jurisdiction, offered: Offered) -> Ranking:
    """BM25 over the same texts: names three times, keywords twice, descriptions once.

    Raises Misconfigured if the package for BM25 is not installed.
    """
    try:
        from rank_bm25 import BM25Okapi
    except ImportError:
        raise Misconfigured(f"BM25 needs rank-bm25: {INSTALL}.") from None
    documents = [
        [word for text in texts_by_language(city, service).values() for word in _bm25_words(text)]
        for service in offered.services
    ]
    index = BM25Okapi(documents)

    def ranking(text: str) -> list[str]:
        points = index.get_scores(_split(text))
        places = sorted(range(len(points)), key=lambda place: (-points[place], place))
        return [offered.services[place].code for place in places if points[place] > 0]

    return ranking


def _bm25_words(service: Service) -> list[str]:
    return [
        *_split(service.name) * _NAME,
        *_split(" ".join(service.keywords)) * _KEYWORDS,
        *_split(service.description),
    ]


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def read_sentences(file: Path, city: Jurisdiction) -> list[Sentence]:
    """The sentences of a file that are for a city. Raises Misconfigured, which names the line of a fault."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise Misconfigured(f"{file.name}: the first line must name the columns {', '.join(COLUMNS)}.")
            return [_sentence(f"{file.name}, line {reader.line_num}", row, city) for row in reader
                    if row["jurisdiction_id"] == city.id]  # fmt: skip
    except (UnicodeDecodeError, csv.Error):
        raise Misconfigured(f"{file.name}: is no CSV in UTF-8.") from None
    except OSError as error:
        raise Misconfigured(f"{file.name}: cannot be read ({error.strerror}).") from None


def _sentence(where: str, row: dict[str, str], city: Jurisdiction) -> Sentence:
    codes = frozenset(filter(None, (row["codes"] or "").split("|")))
    unknown = sorted(code for code in codes if city.service(code) is None)
    if unknown or not codes:
        raise Misconfigured(f"{where}: codes has {', '.join(unknown) or 'none'}; name services of {city.id}.")
    return Sentence(row["text"] or "", codes)
