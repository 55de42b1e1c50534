"""The search for services: what people type, and what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.lexicons import Lexicon, Synonym
from open311.domain.text_search import Texts, TextSearch, words_of

SERVICES = (
    {"en": Texts("Streetlight out", "lamp dark", "Lights", "A lamp that stays dark or flickers.")},
    {"en": Texts("Pothole", "asphalt", "Streets", "A hole in the carriageway.")},
    {"en": Texts("Graffiti", "paint tag", "Cleaning", "Writing on a wall.")},
    {"en": Texts("Tree", "", "Parks", ""), "de": Texts("Straßenbaum"), "es": Texts("Árbol caído")},
    {"zh-Hans": Texts("路灯不亮", "", "照明", "")},
    {"en": Texts("Street cleaning", "", "Cleaning", "The street is dirty.", "Is it wet? Yes No")},
    {"en": Texts("No water", "", "", "Nothing comes out of the tap.")},
)
LEXICON = Lexicon(
    synonyms=(
        Synonym(said=("crater", "hole in the road"), means=("pothole",)),
        Synonym(said=("dry tap", "no running water"), means=("no water",)),
        Synonym(said=("on the block", "can't see"), means=("graffiti",)),
        Synonym(said=("unicorn",), means=("horse with a horn",)),
    ),
    ignored=frozenset(
        ["a", "the", "in", "is", "on", "my", "i", "of", "it", "no", "what", "are", "you", "how", "hello"]
    ),
    negated=frozenset(("no",)),
)
SEARCH = TextSearch(SERVICES, [LEXICON])
WITHOUT_SYNONYMS = TextSearch(SERVICES, [Lexicon(ignored=frozenset(("the", "is")))])
LIGHT, HOLE, PAINT, TREE, CHINESE, DIRT, WATER = range(7)


@pytest.mark.parametrize("search_of", [SEARCH, WITHOUT_SYNONYMS], ids=["synonyms", "words"])
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
def test_the_words_of_the_texts_find_the_best_service_first(search_of: TextSearch, search: str, best: int) -> None:
    assert search_of.find(search)[0] == best


@pytest.mark.parametrize(
    ("search", "best"),
    [
        ("cleaned", DIRT),
        ("crateers", HOLE),
        ("there's a huge HOLE in my road!!", HOLE),
        ("no running water", WATER),
        ("the tap is dry, there is no watter", WATER),
        ("hello, how are you? it is a graffito", PAINT),
    ],
)
def test_the_best_service_comes_first(search: str, best: int) -> None:
    assert SEARCH.find(search)[0] == best


@pytest.mark.parametrize(
    "search",
    ["", "  ", "zzz", "!?", "🙂", "hello, how are you", "in the", "unicorn", "lorem ipsum dolor sit amet est"],
)
def test_nothing_is_found_for_words_that_fit_nothing(search: str) -> None:
    assert SEARCH.find(search) == []


@pytest.mark.parametrize("search", ["", "  ", "zzz", "!?", "🙂"])
def test_without_synonyms_nothing_is_found_for_words_that_fit_nothing(search: str) -> None:
    assert WITHOUT_SYNONYMS.find(search) == []


def test_a_text_with_words_of_two_languages_is_found_by_each() -> None:
    search = TextSearch([{"en": Texts("Pothole")}, {"en": Texts("Straßenbaum Árbol caído")}])
    for words in ("strassenbaum", "arbol caido", "árboles"):
        assert search.find(words) == [1]


@pytest.mark.parametrize("search_of", [SEARCH, WITHOUT_SYNONYMS], ids=["synonyms", "words"])
def test_a_short_word_does_not_find_a_similar_word(search_of: TextSearch) -> None:
    assert HOLE not in search_of.find("pole")


def test_a_word_in_the_name_counts_more_than_one_in_the_description() -> None:
    assert SEARCH.find("street")[0] == DIRT
    assert SEARCH.find("lamp")[0] == LIGHT


def test_a_whole_name_is_found_though_its_words_say_nothing() -> None:
    search = TextSearch([{"en": Texts("What is it")}, {"en": Texts("What is a hole")}], [LEXICON])
    assert search.find("what IS it?") == [0]
    assert search.find("what is a") == []


def test_articles_are_found_by_words_that_say_nothing_if_the_search_has_no_other_words() -> None:
    items = [{"en": Texts("How it is")}, {"en": Texts("Trees")}]
    assert TextSearch(items, [LEXICON], must_tell=False).find("how") == [0]
    assert TextSearch(items, [LEXICON], must_tell=False).find("how are trees") == [1]
    assert TextSearch(items, [LEXICON]).find("how") == []


def test_an_item_is_not_found_if_only_its_description_has_words_of_the_search_and_too_few() -> None:
    items = [{"en": Texts("Noise", "party", "", "loud music and neighbours")}, {"en": Texts("Trees")}]
    search = TextSearch(items, least_in_description=0.5)
    assert search.find("loud zebra party crowd") == [0]
    assert search.find("loud zebra music crowd") == [0]
    assert search.find("loud zebra lion crowd") == []


def test_pairs_of_words_are_found_as_one_word_only_in_short_texts() -> None:
    items = [{"en": Texts("A", "", "", "pot hole")}, {"en": Texts("B", "", "", "sun flower " + "filler " * 39)}]
    assert TextSearch(items).find("pothole") == [0]
    assert TextSearch(items).find("sunflower") == []


def test_services_that_fit_much_less_than_the_best_are_left_out() -> None:
    assert SEARCH.find("the pothole in the street with graffiti")[:2] == [HOLE, PAINT]
    assert len(SEARCH.find("pothole")) == 1


def test_without_services_and_lexicons_nothing_is_found() -> None:
    assert TextSearch([]).find("pothole") == []


def test_a_synonym_without_words_is_no_synonym() -> None:
    lexicon = Lexicon(synonyms=(Synonym(said=("", "crater"), means=("", "?!")),))
    assert TextSearch(SERVICES, [lexicon]).find("crater") == []


def test_a_phrase_is_found_only_with_all_its_words() -> None:
    assert SEARCH.find("it is on the block") == [PAINT]
    assert SEARCH.find("the block") == []


def test_a_contraction_is_one_word_with_any_apostrophe_or_none() -> None:
    for sentence in ("i can't see it", "i can\u2019t see it", "i cant see it"):
        assert SEARCH.find(sentence) == [PAINT]
    assert words_of("d'eau, l\u2019eau, O'Hare, it's") == ["d", "eau", "l", "eau", "o", "hare", "its"]


def test_a_word_for_a_place_counts_less_than_others() -> None:
    items = [{"en": Texts("Street repair")}, {"en": Texts("Dog bite")}]
    assert TextSearch(items).find("dog in the street") == [0, 1]
    assert TextSearch(items, [Lexicon(places=frozenset(["street"]))]).find("dog in the street")[0] == 1


def test_a_long_sentence_is_read_to_its_sixtieth_word() -> None:
    assert SEARCH.find("zzz " * 59 + "pothole") == [HOLE]
    assert SEARCH.find("zzz " * 60 + "pothole") == []


def test_the_result_is_always_the_same() -> None:
    found = SEARCH.rank("a dark hole in the dirty street")
    assert [SEARCH.rank("a dark hole in the dirty street") for _ in range(3)] == [found] * 3
    assert TextSearch(SERVICES, [LEXICON]).rank("a dark hole in the dirty street") == found


@given(st.text(max_size=300))
def test_any_text_can_be_searched_for(search: str) -> None:
    for found in (SEARCH.find(search), WITHOUT_SYNONYMS.find(search)):
        assert len(set(found)) == len(found)
        assert set(found) <= set(range(len(SERVICES)))
