from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.values import NotAnInstant, format_instant, parse_instant

HELSINKI = ZoneInfo("Europe/Helsinki")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.requirement("C199")
@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-01T10:00:00Z", at(2024, 5, 1, 10)),
        ("2024-05-01t10:00:00z", at(2024, 5, 1, 10)),
        ("2024-05-01T10:00:00+02:00", at(2024, 5, 1, 8)),
        ("2024-05-01T10:00:00+0200", at(2024, 5, 1, 8)),
        ("2024-05-01T10:00:00 02:00", at(2024, 5, 1, 8)),
        ("2024-05-01T10:00:00 0200", at(2024, 5, 1, 8)),
        ("2024-05-01T10:00:00-09:30", at(2024, 5, 1, 19, 30)),
        ("2024-05-01T10:00:00 -05:00", at(2024, 5, 1, 15)),
        ("2024-05-01T10:00:00+02", at(2024, 5, 1, 8)),
        ("2024-05-01T10:00:00-09", at(2024, 5, 1, 19)),
        ("2024-05-01T10:00:00 02", at(2024, 5, 1, 8)),
        ("2024-05-01 10:00:00.123456+00", at(2024, 5, 1, 10)),
        ("2024-05-01 10:00:00 UTC", at(2024, 5, 1, 10)),
        ("2024-05-01T10:00utc", at(2024, 5, 1, 10)),
        ("2024-05-01 10:00:00.5 GMT", at(2024, 5, 1, 10)),
        ("2024-05-01T10:00:00", at(2024, 5, 1, 7)),
        ("2024-05-01 10:00:00", at(2024, 5, 1, 7)),
        ("2024-05-01T10:00", at(2024, 5, 1, 7)),
        ("2024-05-01T10:00Z", at(2024, 5, 1, 10)),
        ("2024-05-01T10:00:00.987654321Z", at(2024, 5, 1, 10)),
        ("2024-05-01T10:00:00,5Z", at(2024, 5, 1, 10)),
        ("2024-12-01T10:00:00", at(2024, 12, 1, 8)),
        ("2016-12-31T23:59:60Z", at(2016, 12, 31, 23, 59, 59)),
        ("2024-05-01", at(2024, 4, 30, 21)),
        ("  2024-05-01  ", at(2024, 4, 30, 21)),
    ],
)
def test_times_are_read_in_every_form_that_clients_send(text: str, instant: datetime) -> None:
    assert parse_instant(text, HELSINKI) == instant


@pytest.mark.requirement("C200")
@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "",
        "2024",
        "2024-05",
        "2024-5-1",
        "2024-13-01",
        "2024-02-30",
        "01-05-2024",
        "20240501",
        "2024-05-01T24:00:00Z",
        "2024-05-01T10:60:00Z",
        "2024-05-01T10:00:61Z",
        "2024-05-01T10Z",
        "2024-05-01T10:00:00+15:00",
        "2024-05-01T10:00:00+02:75",
        "2024-05-01T10:00:00+15",
        "2024-05-01T10:00:00+2",
        "2024-05-01T10:00:0002",
        "2024-05-01 UTC",
        "2024-05-01T10:00:00 CET",
        "2024-05-01T10:00:001230",
        "2024-05-01T10:0012:30",
        "2024-05-01Z",
        "1714557600",
        "２０２４-05-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(NotAnInstant):
        parse_instant(text, HELSINKI)


@pytest.mark.parametrize(
    ("day", "last_second"),
    [
        ("2024-05-01", at(2024, 5, 1, 20, 59, 59)),
        ("2024-03-31", at(2024, 3, 31, 20, 59, 59)),  # a day of 23 hours
        ("2024-10-27", at(2024, 10, 27, 21, 59, 59)),  # a day of 25 hours
    ],
)
def test_a_date_as_upper_bound_includes_the_day_in_the_citys_zone(day: str, last_second: datetime) -> None:
    assert parse_instant(day, HELSINKI, end_of_day=True) == last_second
    assert parse_instant(f"{day}T00:00:00", HELSINKI, end_of_day=True) == parse_instant(day, HELSINKI)


INSTANTS = st.datetimes(datetime.min.replace(year=2), datetime.max.replace(year=9998), timezones=st.just(UTC))


@pytest.mark.requirement("C220")
@pytest.mark.requirement("C221")
@given(INSTANTS, st.integers(-14 * 60, 14 * 60))
def test_a_written_instant_is_read_back_as_the_same_second(instant: datetime, offset_min: int) -> None:
    written = format_instant(instant)
    assert parse_instant(written, HELSINKI) == instant.replace(microsecond=0)
    sign, hours, minutes = "-" if offset_min < 0 else "+", *divmod(abs(offset_min), 60)
    local = (instant + timedelta(minutes=offset_min)).replace(tzinfo=None)
    text = f"{local.isoformat()}{sign}{hours:02}:{minutes:02}"
    assert format_instant(parse_instant(text, HELSINKI)) == written


ALMOST = st.from_regex(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\.\d+)?[ ]?([zZ]|UTC|GMT|[+-]?\d\d(:?\d\d)?)?)?", fullmatch=True
)


@given(st.one_of(st.text(), ALMOST), st.sampled_from(["UTC", "Pacific/Kiritimati", "America/Adak"]), st.booleans())
@example("9999-12-31", "America/Adak", True)
@example("0001-01-01", "Pacific/Kiritimati", False)
def test_any_text_is_read_as_a_second_in_utc_or_refused(text: str, zone: str, end_of_day: bool) -> None:
    try:
        instant = parse_instant(text, ZoneInfo(zone), end_of_day=end_of_day)
    except NotAnInstant:
        return
    assert instant.tzinfo is UTC
    assert instant.microsecond == 0


def test_fold_gives_the_second_meaning_of_an_hour_that_clocks_repeat_or_skip() -> None:
    assert parse_instant("2024-10-27T03:30:00", HELSINKI) == at(2024, 10, 27, 0, 30)
    assert parse_instant("2024-10-27T03:30:00", HELSINKI, fold=1) == at(2024, 10, 27, 1, 30)
    assert parse_instant("2024-03-31 03:30", HELSINKI) == at(2024, 3, 31, 1, 30)
    assert parse_instant("2024-03-31 03:30", HELSINKI, fold=1) == at(2024, 3, 31, 0, 30)
    assert parse_instant("2024-10-27T03:30:00Z", HELSINKI, fold=1) == at(2024, 10, 27, 3, 30)


@given(
    st.datetimes(datetime.min.replace(year=2), datetime.max.replace(year=9998)),
    st.sampled_from("Tt "),
    st.sampled_from(["", "Z", "z"]),
    st.timezones(),
)
def test_the_fast_parser_gives_the_result_of_the_full_parser(
    moment: datetime, separator: str, suffix: str, zone: tzinfo
) -> None:
    text = moment.replace(microsecond=0).isoformat(separator)
    assert parse_instant(text + suffix, zone) == parse_instant(f"{text}.0{suffix}", zone)


@pytest.mark.parametrize(
    "text",
    [
        "2026-W09-7T09:30:00",
        "2026-13-01T09:30:00",
        "2026-03-01T24:00:00",
        "2026-03-01T09:30:0Z",
        "٢٠٢٦-03-01T09:30:00",
    ],
)
def test_the_fast_parser_accepts_no_other_text(text: str) -> None:
    with pytest.raises(NotAnInstant):
        parse_instant(text, UTC)
