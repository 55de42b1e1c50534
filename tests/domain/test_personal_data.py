"""The finders of personal data: pure functions, and how well they do on labelled texts in four languages."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from open311.domain.personal_data import (
    DataKind,
    Privacy,
    Treatment,
    Treatments,
    find_personal_data,
    finding,
    mark_of,
)
from open311.domain.personal_data.emails import find_emails
from open311.domain.personal_data.folding import fold
from open311.domain.personal_data.payments import find_cards, find_ibans
from open311.domain.personal_data.phones import find_phones
from tests.personal_data.labelled import HALVES, LANGUAGES, measure, read

LEAST_TEXTS = 30
LEAST_PRECISION, LEAST_RECALL = 0.95, 0.90


def found_in(text: str, region: str = "US", plates: str = "") -> list[tuple[str, str]]:
    return [
        (hit.kind.value, text[hit.start : hit.end])
        for hit in find_personal_data(text, region=region, plates=plates)
    ]


@pytest.mark.parametrize("half", HALVES)
def test_each_kind_is_found_in_labelled_texts(half: str) -> None:
    texts = {language: list(read(half, language)) for language in LANGUAGES}
    assert all(len(own) >= LEAST_TEXTS for own in texts.values())
    score = measure(one for own in texts.values() for one in own)
    for kind in DataKind:
        assert score.precision(kind) >= LEAST_PRECISION, score.errors
        assert score.recall(kind) >= LEAST_RECALL, score.errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b+c@mail.example, d@x.example.", ["a.b+c@mail.example", "d@x.example"]),
        ("at the corner @ Main", []),
        ("me (at) example.com", ["me (at) example.com"]),
        ("617-555-0143 617-555-0144", ["617-555-0143", "617-555-0144"]),
        ("call 617-555-0143/617-555-0144", ["617-555-0143", "617-555-0144"]),
        ("case 6175550143", []),
        ("Case closed. 6175550143", ["6175550143"]),
        ("call about case 6175550143", []),
        ("case 4471, call 6175550143", ["6175550143"]),
        ("١٢٣٤٥٦ +٣٣ ٦ ١٢ ٣٤ ٥٦ ٧٨", ["+٣٣ ٦ ١٢ ٣٤ ٥٦ ٧٨"]),
        ("DE89370400440532013000 and DE89370400440532013001", ["DE89370400440532013000"]),
        ("4111111111111111 4111111111111112", ["4111111111111111"]),
        ("", []),
    ],
)
def test_exactly_the_personal_data_of_a_text_are_found(text: str, expected: list[str]) -> None:
    assert [part for _, part in found_in(text)] == expected


# The signs that nobody sees are written as escapes, so that a reader of this file sees them.
FOLDED = [
    "０４０１２３４５６７",  # full width
    "٠٤٠١٢٣٤٥٦٧",
    "⓪④⓪①②③④⑤⑥⑦",
    "0\ufe0f\u20e34\ufe0f\u20e30\ufe0f\u20e31\ufe0f\u20e3234567",  # emoji of keys
    "040\u200b123\u200b4567",
    "0\u00ad40\u20601234\u034f567",
    "040·123·4567",
    "040 123\n4567",
    "040-\r\n1234567",
    "+358 40\n1234567",
    "0 4 0 1 2 3 4 5 6 7",
    "0   4   0   1   2   3   4   5   6   7",
    "+358(0)401234567",
    "00358(0)40 1234567",
    "jane＠mail．example",
    "ｊａｎｅ@ｍａｉｌ.ｆｉ",
    "ja\u200bne@\u200bmail\u00ad.fi",
    "jose\u0301@mail.fi",
    "j\u0336a\u0336@mail.fi",
    '"jane doe"@mail.fi',
    "jane..doe@mail.fi",
    "jane@mail.xn--p1ai",
    "jane@mail。fi",
    "संपर्क@डाटामेल.भारत",
    "jane@[192.0.2.1]",
    "FI21\u200b12345600000785",
    "ＦＩ２１１２３４５６０００００７８５",
    "FI21.1234.5600.0007.85",
    "FI21 1234\n5600 0007 85",
    "４１１１１１１１１１１１１１１１",
    "4111 1111\n1111 1111",
    "4111.1111.1111.1111",
]


@pytest.mark.parametrize("text", FOLDED)
def test_personal_data_are_found_in_every_way_of_writing(text: str) -> None:
    assert [part for _, part in found_in(f"Soita: {text}, kiitos ä", region="FI")] == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tel.0401234567", ["0401234567"]),
        ("0401234567,0401234568", ["0401234567", "0401234568"]),
        ("FI2112345600000785x", ["FI2112345600000785"]),
        ("IBANFI2112345600000785", ["FI2112345600000785"]),
        ("0401234567\n7 taloa", ["0401234567"]),
        ("Tel 040 123456\n7 Mannerheimintie", ["040 123456"]),
    ],
)
def test_text_next_to_personal_data_is_not_part_of_the_hit(text: str, expected: list[str]) -> None:
    assert [part for _, part in found_in(text, region="FI")] == expected


@pytest.mark.parametrize(
    "text",
    [
        "Talo 12\n00100 Helsinki",
        "Linja 55\n2025 003 klo 12",
        "120 m² ja 0,5 m³, talo 12½",
        "１２：３０ ２０２５年１１月３０日",
        "60.1718, 24.9414\n60.1719, 24.9415",
        "12.0401234567",
        "asia 0401\n1. 234567",
    ],
)
def test_numbers_on_two_lines_and_in_other_scripts_are_left_alone(text: str) -> None:
    assert found_in(text, region="FI") == []


def test_a_number_over_two_lines_after_the_word_of_an_id_is_an_id() -> None:
    assert found_in("case 617\n5550143") == []


def test_plates_are_found_only_by_the_pattern_of_the_city() -> None:
    assert found_in("the car ABC 1234 at X-ABC 1234") == []
    assert found_in("the car ABC 1234 at X-ABC 1234", plates=r"[A-Z]{3} ?\d{4}") == [("plate", "ABC 1234")]


@given(st.text(st.sampled_from("0123456789 .-/()+@,:€aB#\n\u200b\u0301½４٤…⒈"), max_size=60) | st.text(max_size=80))
def test_hits_in_any_text_are_in_order_and_do_not_overlap(text: str) -> None:
    place = 0
    for hit in find_personal_data(text, region="DE", plates="[A-Z]+ [0-9]+"):
        assert place <= hit.start < hit.end <= len(text)
        place = hit.end


@pytest.mark.parametrize(
    "part",
    [
        "1 ",
        "1\n",
        "12 1\n",
        "４",
        '"a',
        "12-",
        "(",
        "+1",
        "a.",
        "@",
        "a@a",
        "GB29 ",
        "4111 ",
        "tel 1 2 3 4 5 6 7 8 9 ",
    ],
)
def test_a_hostile_text_of_full_length_is_read(part: str) -> None:
    find_personal_data(part * (4_000 // len(part)), region="US", plates=r"[A-Z]{2}\d{2}")


def test_the_policy_decides_what_is_found_and_never_finds_the_citys_own_addresses() -> None:
    policy = Privacy(phone_region="US", card=Treatment.SHOW, own=("@city.example", "(617) 555-0100"))
    text = "ask roads@city.example or +1 617 555 0100, me@mail.example paid with 4111111111111111"
    assert [text[hit.start : hit.end] for hit in policy.hits_in(text)] == ["me@mail.example"]
    shown = policy.with_treatments(Treatments(email=Treatment.SHOW))
    assert list(shown.hits_in(text)) == []
    assert shown.phone is Treatment.MASK


def test_a_short_number_of_the_city_does_not_hide_a_longer_number() -> None:
    policy = Privacy(phone_region="US", own=("143", "311"))
    text = "call 617-555-0143"
    assert [hit.kind for hit in policy.hits_in(text)] == [DataKind.PHONE]


def test_the_mark_of_a_number_does_not_depend_on_its_signs_and_differs_between_requests() -> None:
    assert mark_of("617-555-0143", "one") == mark_of("(617) 555 0143", "one")
    assert mark_of("617-555-0143", "one") == mark_of("６１７\u200b555 0143", "one")
    assert mark_of("a@b.example", "one") == mark_of("Ａ＠b.example", "one")
    assert mark_of("617-555-0143", "one") != mark_of("617-555-0143", "two")


@settings(max_examples=500)
@given(st.text(st.sampled_from("0123456789 ()+-./\n\rDEtel,@x[]"), max_size=60))
@example("448 E 839 STREET 12")
@example("(030) - (+1) 2345")
@example("030 1   -\n   2345")
@example("1\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r23456789")
def test_the_quick_check_skips_no_text_with_an_email_iban_card_or_phone_number(text: str) -> None:
    rest = fold(text).text
    finders = (find_emails, find_ibans, find_cards, lambda found: find_phones(found, "DE"))
    if not finding._may_hold_any(text):
        assert [list(finder(rest)) for finder in finders] == [[], [], [], []]


@settings(max_examples=500)
@given(st.lists(st.text(st.sampled_from("0123456789 ()+-./\n\rDEtel,@x[]é٣１\u0301"), max_size=40), max_size=4))
def test_the_quick_check_of_several_texts_skips_none_that_has_personal_data(texts: list[str]) -> None:
    if not Privacy(phone_region="DE").may_be_in(texts):
        assert not any(Privacy(phone_region="DE").all_in(text) for text in texts)


def test_the_quick_check_of_several_texts_does_not_look_across_them() -> None:
    assert not Privacy().may_be_in(["448 E 839", "617", "555", "0143"])
    assert Privacy().may_be_in(["448 E 839", "617 555 0143"])


def test_the_quick_check_never_skips_texts_of_a_city_with_a_pattern_of_plates() -> None:
    assert Privacy(plate_pattern="[A-Z]{3}").may_be_in(["no digit"])


def test_the_quick_check_skips_the_digits_of_an_address() -> None:
    assert not finding._may_hold_any("448 E 839 STREET, BROOKLYN 10350")
