"""What fits into a text message, quiet hours, numbers, and the words by which people end messages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.calendar import Hours
from open311.domain.people import number_for_sms
from open311.domain.sms import MOST_PARTS, Wish, end_of_quiet, fitted, is_gsm, parts_of, wish_of

LINK = "https://311.city.example/c/city.example/requests/2026-17"
END = "Reply STOP to get no more messages."


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ś" * 70, 1),
        ("ś" * 71, 2),
        ("ś" * 134, 2),
        ("ś" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),
    ],
)
def test_the_parts_of_a_text_are_counted_as_phones_do(text: str, parts: int) -> None:
    assert parts_of(text) == parts


def test_a_short_text_stays_as_it_is() -> None:
    assert fitted("It is closed.", link=LINK, end=END) == f"It is closed. {LINK} {END}"


def test_a_long_text_is_cut_at_the_end_of_a_word_and_keeps_link_and_end() -> None:
    found = fitted("lamps, " * 100, link=LINK, end=END)
    assert found.endswith(f" lamps... {LINK} {END}")
    assert 290 <= len(found) <= 306


def test_chinese_is_cut_between_two_characters() -> None:
    found = fitted("路灯" * 100, link=LINK)
    assert found.endswith(f"... {LINK}")
    assert 130 <= len(found) <= 134


def test_a_link_that_leaves_no_room_for_the_sentence_is_left_out() -> None:
    assert fitted("路灯" * 10, link="https://311.example/" + "x" * 120, end="停止") == "路灯" * 10 + " 停止"


def test_signs_that_would_double_the_price_are_replaced_by_plain_ones() -> None:
    found = fitted("The city\u2019s lamp \u2013 \u201cout\u201d\u2026\u00a0again")
    assert found == 'The city\'s lamp - "out"... again'
    assert is_gsm(found)


def test_an_isolated_value_that_is_cut_is_still_closed() -> None:
    found = fitted("بلاغ \u2068" + "2026 " * 60 + "\u2069 end", link=LINK)
    assert found.count("\u2068") == found.count("\u2069") == 1


@given(st.text(max_size=400), st.text(alphabet="abc/:.-", max_size=200), st.text(max_size=80))
def test_every_text_fits_into_the_parts_and_into_one_line(sentence: str, link: str, end: str) -> None:
    found = fitted(sentence, link=link, end=end)
    assert parts_of(found) <= MOST_PARTS
    assert len(found.splitlines()) <= 1
    found.encode("utf-8")


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("(617) 555-0123", "+16175550123"),
        ("+1 617 555 0123", "+16175550123"),
        ("001 617 555 0123", ""),
        ("011 1 617 555 0123", "+16175550123"),
        ("+44 7700 900123", ""),
        ("+1 876 210 1234", ""),
        ("876-210-1234", ""),
        ("+1 416 555 0123", ""),
        ("+1 900 555 0123", ""),
        ("+1 800 555 0123", ""),
        ("617 555 0123 ext. 7", ""),
        ("911", ""),
        ("12", ""),
        ("none", ""),
        ("", ""),
        ("6175550123\r\nBcc: x", ""),
        ("+" * 400, ""),
    ],
)
def test_only_numbers_of_the_country_that_can_get_messages_are_used(phone: str, number: str) -> None:
    assert number_for_sms(phone, "US") == number


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("07400 123456", "+447400123456"),
        ("07781 123456", "+447781123456"),
        ("07797 712345", "+447797712345"),
        ("07924 123456", "+447924123456"),
        ("+1 617 555 0123", ""),
    ],
)
def test_numbers_of_jersey_guernsey_and_man_count_as_british(phone: str, number: str) -> None:
    assert number_for_sms(phone, "GB") == number


def test_without_a_phone_region_numbers_are_used_only_if_the_city_allows_other_countries() -> None:
    assert number_for_sms("+1 617 555 0123", "") == ""
    assert number_for_sms("+1 617 555 0123", "", abroad=True) == "+16175550123"


def test_mobile_numbers_of_other_countries_are_used_if_the_city_wants_it() -> None:
    assert number_for_sms("+358 40 1234567", "US", abroad=True) == "+358401234567"
    assert number_for_sms("+1 876 210 1234", "US", abroad=True) == "+18762101234"
    assert number_for_sms("+358 9 1234567", "US", abroad=True) == ""
    assert number_for_sms("040 1234567", "US", abroad=True) == ""


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("STOP", Wish.STOP),
        (" stop. ", Wish.STOP),
        ("Stop All", Wish.STOP),
        ("Arrêt", Wish.STOP),
        ("ARRET!", Wish.STOP),
        ("baja", Wish.STOP),
        ("kanpe", Wish.STOP),
        ("إيقاف", Wish.STOP),
        ("停止", Wish.STOP),
        ("退订。", Wish.STOP),
        ("START", Wish.START),
        ("iniciar", Wish.START),
        ("ابدأ", Wish.START),
        ("开始", Wish.START),
        ("stop the noise", Wish.OTHER),
        ("thank you", Wish.OTHER),
        ("", Wish.OTHER),
        ("stop" * 1_000, Wish.OTHER),
    ],
)
def test_one_word_in_any_language_stops_or_starts_messages(text: str, wish: Wish) -> None:
    assert wish_of(text) is wish


def test_quiet_hours_end_on_the_next_morning_also_over_midnight() -> None:
    night = (Hours(21 * 60, 8 * 60),)
    late = datetime(2026, 3, 1, 23, 30, 12, tzinfo=UTC)
    assert end_of_quiet(night, late) == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert end_of_quiet(night, datetime(2026, 3, 2, 8, tzinfo=UTC)) is None
    assert end_of_quiet((), late) is None
