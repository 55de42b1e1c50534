"""The search by the words of the texts alone, without synonyms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.lexicons import Lexicon
from open311.domain.text_search import Texts, TextSearch

SERVICES = (
    {"en": Texts("Streetlight out", "lamp dark", "Lights", "A lamp that stays dark or flickers.")},
    {"en": Texts("Pothole", "asphalt", "Streets", "A hole in the carriageway.")},
    {"en": Texts("Graffiti", "paint tag", "Cleaning", "Writing on a wall.")},
    {"en": Texts("Straßenbaum Árbol caído", "", "Parks", "")},
    {"en": Texts("路灯不亮", "", "照明", "")},
    {"en": Texts("Street cleaning", "", "Cleaning", "The street is dirty.")},
)
SEARCH = TextSearch(SERVICES, [Lexicon(ignored=frozenset(("the", "is")))])
LIGHT, HOLE, PAINT, TREE, CHINESE, DIRT = range(6)


@pytest.mark.parametrize(
    ("search", "best"),
    [
        ("street light", LIGHT),
        ("streetlight", LIGHT),
        ("the street lamp is broken", LIGHT),
        ("stretlight", LIGHT),
        ("LAMPS", LIGHT),
        ("pothole", HOLE),
        ("pot hole", HOLE),
        ("potholes", HOLE),
        ("hole", HOLE),
        ("grafitti", PAINT),
        ("graffitis", PAINT),
        ("strassenbaum", TREE),
        ("arbol caido", TREE),
        ("árboles", TREE),
        ("路灯", CHINESE),
        ("路灯不亮了", CHINESE),
        ("dirty street", DIRT),
    ],
)
def test_the_best_service_comes_first(search: str, best: int) -> None:
    assert SEARCH.find(search)[0] == best


@pytest.mark.parametrize("search", ["", "  ", "zzz", "!?", "🙂"])
def test_nothing_is_found_for_words_that_fit_nothing(search: str) -> None:
    assert SEARCH.find(search) == []


def test_short_words_must_be_right() -> None:
    assert HOLE not in SEARCH.find("pole")


@given(st.text(max_size=300))
def test_any_text_can_be_searched_for(search: str) -> None:
    found = SEARCH.find(search)
    assert len(set(found)) == len(found)
    assert set(found) <= set(range(len(SERVICES)))
