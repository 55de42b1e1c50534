from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from open311.domain.text import clean_text, is_single_line

ANY_TEXT = st.text(st.characters())


@pytest.mark.requirement("C027")
@given(ANY_TEXT)
def test_an_xml_parser_reads_back_cleaned_text_unchanged(text: str) -> None:
    element = etree.Element("description")
    element.text = clean_text(text)
    assert etree.fromstring(etree.tostring(element, encoding="UTF-8")).text in (clean_text(text), None)
    clean_text(text).encode()


@given(ANY_TEXT)
def test_cleaning_is_idempotent(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("tab\tstays", "tab\tstays"),
        ("\x00\x01\x08\x0b\x0c\x0e\x1f", ""),
        ("\ufffe\uffff\ud800", ""),
        ("é ☂ 🌳 \x85 \u2028 \x7f", "é ☂ 🌳 \x85 \u2028 \x7f"),
    ],
)
def test_only_characters_forbidden_in_xml_are_removed(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_text_with_any_line_break_is_not_a_single_line() -> None:
    assert is_single_line("one line, with a\ttab")
    assert not is_single_line("one\ntwo")
    assert not is_single_line("one\rtwo")
