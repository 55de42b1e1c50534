"""Answering questions about numbers: how many, how old, how fast, and how often within the target.

Example, for one row per service and the reports of March:

    question = Question(jurisdiction_id=city.id, first=date(2026, 3, 1), last=date(2026, 3, 31))
    answer_groupings(platform, city, question, [Grouping.SERVICE], now=now)[Grouping.SERVICE].rows
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from open311.domain.search import RequestSearch, Window
from open311.domain.statistics import (
    BUCKETS,
    DAY_HOURS,
    LEAST_ANSWERS,
    MEDIAN,
    P90,
    Grouping,
    Place,
    Question,
    Row,
    Statistics,
    Tally,
    Target,
    closed_at_intake,
    hours_at,
    places_of,
)
from open311.errors import Invalid, Unavailable
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import statistics
from open311.storage.hot import searching
from open311.storage.hot.connections import Read
from open311.storage.statistics import Chosen
from schemas.texts import tell

MOST_LIVE = 50_000
"""The most requests that a live search may find. It has words, a place or another filter without sums."""

_KEPT = 16
"""For how many questions a process keeps the answers. An answer by day for a year needs a fifth of a megabyte."""


def answer_groupings(
    platform: Platform,
    city: Jurisdiction,
    question: Question,
    groupings: Iterable[Grouping],
    *,
    now: datetime,
    live: RequestSearch | None = None,
) -> dict[Grouping, Statistics]:
    """The numbers that a question asks for, by several groupings, all from one snapshot of the database.

    live  a search with filters that are not in the question; its dates are those of the question. None if stored
          sums can answer the question
    Raises Invalid if a live search finds too many requests, and Unavailable until the city is counted.
    """
    chosen = None if live is None else _choose(platform, city, question, live)
    with platform.database.hot.snapshot() as read:
        state = statistics.load_state(read, city.id)
        require_counted(state)
        as_of = min(now, state.waits_since.replace(microsecond=0)) if state.waits_since else now
        instant = closed_at_intake(statistics.instant_services(read, city.id))
        codes = question.service_codes
        without = [code for code in instant if codes is None or code in codes]
        today = as_of.astimezone(city.zone).date()
        tallies, found = dict[Grouping, dict[str, Tally]](), {}
        for grouping in sorted(groupings, key=Grouping.ALL.__eq__):  # the whole comes last
            grouped = replace(question, group_by=grouping)
            count = _Count(read, grouped, chosen, as_of, today, without, state.mark)
            whole = _whole_of(tallies) if grouping is Grouping.ALL else None
            tallies[grouping] = count.tallies() if whole is None else {"": whole}
            found[grouping] = _answer(city, count, tallies[grouping])
    return found


def _whole_of(tallies: Mapping[Grouping, Mapping[str, Tally]]) -> Tally | None:
    """The counts of all requests: the sum over a grouping that counts each request once.

    None if the tallies have no such grouping.
    """
    found = [groups for grouping, groups in tallies.items() if grouping is not Grouping.AREA]
    return _sum([*min(found, key=len).values()]) if found else None


def _answer(city: Jurisdiction, count: _Count, parts: Mapping[str, Tally]) -> Statistics:
    question = count.question
    members = _members(question, city, parts)
    tallies = {key: _sum([parts[part] for part in inside]) for key, inside in members.items()}
    hours = count.percentiles(members, tallies)
    names = _names(question, city)
    rows = [
        _row(city, count, key, names.get(key, key), counts, *hours[key])
        for key, counts in sorted(tallies.items())
        if counts.closed or counts.open or counts.ended or question.group_by is Grouping.ALL
    ]
    return Statistics(
        question=question,
        as_of=count.as_of,
        left_out=tuple(count.without),
        target_days=_target_days(question, city),
        rows=tuple(rows),
    )


def answers_of_minute(
    platform: Platform,
    city: Jurisdiction,
    question: Question,
    groupings: Iterable[Grouping],
    *,
    now: datetime,
    live: RequestSearch | None = None,
) -> Mapping[Grouping, Statistics]:
    """Like `answer_groupings`, but within a minute, a process gives the same answers again, as of the first call.

    So a page and stats.json agree, although they ask for different groupings.
    """
    key = (replace(question, group_by=Grouping.ALL), live)
    no_answers = dict[Grouping, Statistics]
    answers = platform.process.kept_for_minute("statistics", key, now, no_answers, most=_KEPT)
    missing = [grouping for grouping in groupings if grouping not in answers]
    if missing:
        answers |= answer_groupings(platform, city, question, missing, now=now, live=live)
    return answers


@dataclass(frozen=True, slots=True)
class _Count:
    """The counting for one question in one snapshot. `without`: the services whose times are left out."""

    read: Read
    question: Question
    chosen: Chosen | None
    as_of: datetime
    today: date
    without: Sequence[str]
    mark: datetime

    def tallies(self) -> dict[str, Tally]:
        """The counts by key. If the question groups by group of services, the keys are still codes of services."""
        found = self._tally(self.question)
        for key, counts in self._left_out(found).items():
            found[key].leave_out_times(counts)
        return found

    def _left_out(self, found: Mapping[str, Tally]) -> Mapping[str, Tally]:
        """The counts of the services whose times are left out, by key."""
        if self.question.group_by in (Grouping.SERVICE, Grouping.GROUP):
            return {code: found[code] for code in self.without if code in found}
        if not self.without:
            return {}
        return self._tally(replace(self.question, service_codes=tuple(self.without)))

    def _tally(self, question: Question) -> dict[str, Tally]:
        return statistics.tally(self.read, question, self.as_of, self.today, self.chosen, self.mark)

    def percentiles(
        self, members: Mapping[str, Sequence[str]], tallies: Mapping[str, Tally]
    ) -> dict[str, tuple[int | None, int | None]]:
        """The median and the 90th percentile of the hours of each group."""
        places = {key: places_of(counts.buckets, (MEDIAN, P90)) for key, counts in tallies.items()}
        wanted = {key: [place for place in both if place and not place.is_exact] for key, both in places.items()}
        if self.chosen is None and self.question.group_by in statistics.IN_ORDER:
            found = statistics.find_hours(self.read, self.question, wanted, self.without)
        else:
            found = self._count_hours(members, wanted)
        return {key: (_hours(key, both[0], found), _hours(key, both[1], found)) for key, both in places.items()}

    def _count_hours(
        self, members: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[Place]]
    ) -> dict[tuple[str, Place], int]:
        """The hours at the place of each percentile of each group, from the counts of the parts of the group."""
        parts = {part: wanted[key] for key, inside in members.items() for part in inside}
        counted = statistics.count_hours(self.read, self.question, parts, self.chosen, without=self.without)
        found: dict[tuple[str, Place], int] = {}
        for key, places in wanted.items():
            hours = Counter[int]()
            for part in members[key]:
                hours.update(counted.get(part, {}))
            found |= {(key, place): hours_at(place, hours) for place in places}
        return found


def _hours(key: str, place: Place | None, found: Mapping[tuple[str, Place], int]) -> int | None:
    """The hours at the place of a group's percentile; None without a place."""
    return found.get((key, place), place.least) if place else None


def require_counted(state: statistics.State) -> None:
    """Raise Unavailable until the requests of a city are counted for the first time."""
    if state.is_uncounted:
        raise Unavailable(tell("The statistics are being counted for the first time; try again in some minutes."))


def _choose(platform: Platform, city: Jurisdiction, question: Question, live: RequestSearch) -> Chosen:
    """What a live search finds: requests reported on the question's days, and those perhaps closed on them."""
    start = None if question.first is None else datetime.combine(question.first, time(), city.zone)
    end = None if question.last is None else datetime.combine(question.last + timedelta(days=1), time(), city.zone)
    past = None if end is None else end - timedelta(microseconds=1)
    live = replace(live, is_id_undated=False)
    reported = _find(platform, replace(live, requested=Window(start, past)))
    if start is None:
        return Chosen(reported=reported, ended=reported)
    changed = Window(max(filter(None, (start, live.changed.start))), live.changed.end)
    return Chosen(
        reported=reported, ended=_find(platform, replace(live, requested=Window(None, past), changed=changed))
    )


def _find(platform: Platform, search: RequestSearch) -> list[int]:
    found = searching.find_numbers(platform.database.hot, search, most=MOST_LIVE)
    if len(found) > MOST_LIVE:
        raise Invalid(
            tell(
                "q, bbox, radius, agency_responsible, has_photo, updated_after and updated_before are for at most"
                " {most:,} requests here, and these find more; send shorter dates, or fewer of these filters.",
                most=MOST_LIVE,
            )
        )
    return found


def _members(question: Question, city: Jurisdiction, keys: Iterable[str]) -> dict[str, list[str]]:
    """The parts of each group: the services of a group of services, otherwise the group itself."""
    found: dict[str, list[str]] = defaultdict(list)
    if question.group_by is Grouping.ALL:
        found[""] = []
    for key in keys:
        service = city.service(key) if question.group_by is Grouping.GROUP else None
        is_group = question.group_by is Grouping.GROUP
        found[(service.group if service else "") if is_group else key].append(key)
    return found


def _sum(parts: Sequence[Tally]) -> Tally:
    if len(parts) == 1:
        return parts[0]
    whole = Tally()
    for part in parts:
        whole.add(part)
    return whole


def _names(question: Question, city: Jurisdiction) -> dict[str, str]:
    """The names of the groups whose key is a code."""
    if question.group_by is Grouping.SERVICE:
        return {service.code: service.name for service in city.services}
    if question.group_by is Grouping.DEPARTMENT:
        return {department.code: department.name for department in city.departments}
    return {}


def _row(
    city: Jurisdiction,
    count: _Count,
    key: str,
    name: str,
    counts: Tally,
    median_hours: int | None,
    p90_hours: int | None,
) -> Row:
    question, is_service = count.question, count.question.group_by is Grouping.SERVICE
    within = sum(counts.buckets[: bisect_left(BUCKETS, question.within_days * DAY_HOURS)])
    timed, ages, targets = sum(counts.buckets), counts.ages, counts.targets
    number = sum(counts.answers[1:])
    shown: Sequence[int | None] = [number, *counts.answers] if number >= LEAST_ANSWERS else [None] * 5
    answered, asked, yes, partly, no = shown
    return Row(
        key=key,
        name=name,
        opened=counts.open + counts.closed,
        closed=counts.closed,
        open=counts.open,
        closed_in_period=counts.ended,
        open_up_to_7_days=ages[0],
        open_up_to_30_days=ages[1],
        open_up_to_90_days=ages[2],
        open_up_to_365_days=ages[3],
        open_longer=ages[4],
        timed=timed,
        median_hours=median_hours,
        p90_hours=p90_hours,
        within=within,
        within_of=timed + counts.waiting,
        on_time=counts.on_time,
        on_time_of=counts.on_time + counts.late + counts.overdue,
        target_matched=targets[Target.MATCHED],
        target_ambiguous=targets[Target.AMBIGUOUS],
        target_not_managed=targets[Target.NOT_MANAGED],
        target_none=targets[Target.NONE],
        supporters=counts.supporters,
        feedback_asked=asked,
        feedback_answered=answered,
        feedback_yes=yes,
        feedback_partly=partly,
        feedback_no=no,
        target=_target_of(city, key) if is_service else "",
        is_left_out=is_service and key in count.without,
    )


def _target_of(city: Jurisdiction, code: str) -> str:
    """The words of the target of a service; "" if it has none."""
    level = city.levels.level(code, _department_of(city, code))
    return str(level) if level else ""


def _department_of(city: Jurisdiction, code: str) -> str:
    service = city.service(code)
    return service.department if service else ""


def _target_days(question: Question, city: Jurisdiction) -> str:
    """Whether the targets of the counted services are in calendar or working time, or both; "" without targets."""
    codes = question.service_codes
    units = {
        rule.level.unit.needs_calendar
        for rule in city.levels.rules
        if rule.level.unit and (codes is None or not rule.service or rule.service in codes)
    }
    if len(units) == 2:
        return "both"
    return {True: "working", False: "calendar"}[units.pop()] if units else ""
