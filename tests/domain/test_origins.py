"""The hops of a request between servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.origins import cities_in, hop, id_at, id_by_address, proven, read, unproven, written

NAMES = st.text(alphabet="abcdef0123456789-", min_size=1, max_size=36)


@given(st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)), max_size=8))
def test_hops_with_any_ids_survive_a_header(pairs: list[tuple[str, str]]) -> None:
    via = tuple(hop(*pair) for pair in pairs)
    assert read(written(via)) == via
    for city, name in dict(reversed(pairs)).items():
        assert id_at(via, city) == name
        assert id_at(unproven(via), city) == name
    assert cities_in(via) == {city for city, _ in pairs}
    assert proven(unproven(via)) == []


@pytest.mark.parametrize("text", ["a", "=1", "a=", "a=1 b=2", "a=1;", "a=é", "~~a=1"])
def test_a_text_that_is_no_list_of_hops_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


def test_an_id_by_address_depends_on_the_city_and_ignores_a_slash_at_the_end() -> None:
    assert id_by_address("https://x.example/v2/", "c") == id_by_address("https://x.example/v2", "c")
    assert id_by_address("https://x.example/v2", "c") != id_by_address("https://x.example/v2", "d")
