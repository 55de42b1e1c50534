"""Statistics: every number equals a plain count over the public list, whatever happens to the requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.events import Erasable, FeedbackGiven
from open311.domain.mails import Feedback, Follower, MailRules
from open311.domain.requests import Status, Visibility
from open311.domain.service_levels import LevelRule, read_service_level
from open311.domain.services import Service
from open311.domain.statistics import Grouping, Question, Row
from open311.domain.supporters import Supporter, SupporterKind
from open311.domain.workflow import Outcome
from open311.errors import Open311Error, Unavailable
from open311.jobs.dispatching import dispatch_all
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.statistics import counting as statistics_counting
from open311.operations.statistics.answering import answer_groupings
from open311.operations.statistics.counting import check_all, recount
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.act import act
from open311.operations.workflow.apply import change_requests, load_request
from open311.operations.workflow.erase_request import erase_from_request
from open311.operations.workflow.supporting import support, take_back
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage import counted_requests, followers, open_counts
from open311.storage.engine import Connection
from open311.storage.migrations import migrate
from open311.storage.tables import open_count
from tests import build, by_hand
from tests.asked import answered
from tests.operations.witness import run_until_killed, witnessed

NOW = build.NOON
SERVICES = (
    Service(code="potholes", name="Pothole", group="Roads", service_level=read_service_level("4 days")),
    Service(code="signs", name="Sign", group="Roads"),
    Service(code="trees", name="Tree", group="Green", service_level=read_service_level("SLA not managed by 311")),
    Service(code="other", name="Other"),
    Service(code="calls", name="Information", service_level=read_service_level("10 working days")),
)
DEPARTMENTS = ("streets", "parks", "desk")
AREAS = ((), ("Harbour",), ("Hill",), ("Harbour", "Hill"))


def make_city() -> Jurisdiction:
    rules = tuple(LevelRule(level=read_service_level(words), service="signs") for words in ("2 days", "3 days"))
    mail = MailRules(reporters=True)
    return build.city(services=SERVICES, time_zone="America/New_York", service_levels=rules, mail=mail)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A city without requests."""
    mailing = replace(settings, smtp_url="smtp://localhost:1", public_url="http://localhost")
    platform = build.platform(mailing, make_city())
    ensure_synced(platform)
    yield platform
    platform.close()


def items(platform: Platform) -> list[by_hand.Item]:
    """The public list, without the requests that are merged into another one, as the database has it."""
    with platform.database.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT json, json_extras FROM publication JOIN service_request USING (jurisdiction_id, id)"
            " WHERE publication.visibility = 'public' AND merged_into = 0"
        )
        found = [json.loads(item[:-1] + "," + ",".join(extras) + "}") for item, extras in rows]
        said = feedback(connection)
    return [one | {"feedback": said.get(one["service_request_id"])} for one in found]


def feedback(connection: Connection) -> dict[str, str]:
    """The last answer of each reporter who was asked after the last closing, by the id of the request."""
    found: dict[str, str] = {}
    for id, kind, data, is_asked in connection.exec_driver_sql(
        "SELECT service_request_id, kind, data, EXISTS (SELECT FROM follower WHERE request_id = service_request.id)"
        " FROM request_event JOIN service_request ON service_request.id = request_id"
        " WHERE kind IN ('status', 'feedback') ORDER BY request_event.id"
    ):
        if kind == "feedback":
            found[id] = data["answer"]
        else:
            found.pop(id, None)
            if data["new"] == "closed" and is_asked:
                found[id] = ""
    return found


def plain(row: Row) -> dict[str, Any]:
    """The numbers of a row that by_hand has too."""
    return {name: getattr(row, name) for name in by_hand.NAMES}


def check(platform: Platform, question: Question) -> None:
    (city,) = platform.registry
    found = answered(platform, city, question, now=NOW)
    expected = by_hand.numbers_of(items(platform), question, NOW, city.time_zone, city.levels)
    assert {row.key: plain(row) for row in found.rows} == expected


# --- Random histories


class History:
    """Things that happen to the requests of a city, in a random order."""

    def __init__(self, platform: Platform, random: Random) -> None:
        self.platform, self.random = platform, random
        (self.city,) = platform.registry
        self.count = 0

    def happen(self) -> None:
        """One change. Nothing happens if the command is not legal for the request."""
        kinds = [self.report] * 4 + [self.import_closed] * 4 + [self.close] * 3
        kinds += [self.answer] * 12
        kinds += [self.support] * 6 + [self.take_back] * 2
        kinds += [
            self.reopen,
            self.show,
            self.move,
            self.merge,
            self.unmerge,
            self.promise,
            self.transfer,
            self.erase,
        ]
        kind = self.random.choice(kinds if self.count > 5 else [self.report])
        with suppress(Open311Error):
            kind()

    def report(self) -> None:
        at = NOW - timedelta(minutes=self.random.randint(0, 60 * 24 * 500))
        self._store(at=at, department=self.random.choice(DEPARTMENTS), expected_at=self._promise(at))

    def import_closed(self) -> None:
        at = NOW - timedelta(minutes=self.random.randint(0, 60 * 24 * 500))
        is_call = self.random.random() < 0.4
        closed_at = at + timedelta(minutes=self.random.randint(0, 5 if is_call else 60 * 24 * 60))
        self._store(
            at=at,
            updated_at=closed_at,
            changed_at=closed_at,
            status=Status.CLOSED,
            expected_at=self._promise(at),
            **({"service_code": "calls"} if is_call else {}),
        )

    def _store(self, **fields: Any) -> None:
        self.count += 1
        usual = {"service_code": self.random.choice(SERVICES[:-1]).code, "areas": self.random.choice(AREAS)}
        build.store(self.platform, number=self.count, **usual | fields)
        if self.count % 3:
            with self.platform.database.transaction() as connection:
                ann = Follower(
                    jurisdiction_id=self.city.id,
                    number=self.count,
                    email="ann@mail.example",
                    language="en",
                    is_reporter=True,
                    told_version=0,
                    created_at=NOW,
                )
                followers.confirm(connection, replace(ann, id=followers.add(connection, ann)), 0, NOW)

    def _promise(self, at: datetime) -> datetime | None:
        return at + timedelta(hours=self.random.randint(1, 2_000)) if self.random.random() < 0.5 else None

    def _act(self, order: commands.Command) -> None:
        at = NOW - timedelta(minutes=self.random.randint(0, 10_000))
        act(self.platform, self.city, self._any(), [order], principal=SHELL, now=at)

    def _any(self) -> str:
        return f"R{self.random.randint(1, self.count)}"

    def close(self) -> None:
        self._act(commands.Close(outcome=Outcome.FIXED))

    def answer(self) -> None:
        """The reporter of a closed request says whether the problem is solved, perhaps not for the first time."""
        with self.platform.database.transaction() as connection:
            record = load_request(connection, self.city, self._any())
            if record.number % 3 and record.status is Status.CLOSED:
                said = self.random.choice(list(Feedback)).value
                event = FeedbackGiven(at=NOW, actor="reporter", answer=said)
                change_requests(connection, [(record, [event])], names_for(connection, self.city))

    def support(self) -> None:
        """One of a few people says "me too", perhaps about a request that was merged into another one."""
        support(self.platform, self.city, self._any(), self._somebody(), principal=SHELL, now=NOW)

    def take_back(self) -> None:
        take_back(self.platform, self.city, self._any(), self._somebody(), principal=SHELL)

    def _somebody(self) -> Supporter:
        name = self.random.choice(("ann", "ben", "eve"))
        return Supporter(kind=SupporterKind.EMAIL, value=f"{name}@mail.example")

    def reopen(self) -> None:
        self._act(commands.Reopen(reason="again"))

    def show(self) -> None:
        build.change(self.platform, self._any(), visibility=self.random.choice(list(Visibility)), now=NOW)

    def move(self) -> None:
        self._act(commands.ChangeService(service_code=self.random.choice(SERVICES).code, reason="moved"))

    def transfer(self) -> None:
        self._act(commands.Transfer(department=self.random.choice(DEPARTMENTS), reason="moved"))

    def merge(self) -> None:
        self._act(commands.Merge(into=self._any()))

    def unmerge(self) -> None:
        self._act(commands.Unmerge(reason="wrong"))

    def promise(self) -> None:
        when = NOW + timedelta(hours=self.random.randint(-500, 500))
        self._act(commands.Reschedule(expected=when, reason="later"))

    def erase(self) -> None:
        erase_from_request(self.platform, self.city, self._any(), list(Erasable), now=NOW)

    def question(self) -> Question:
        """Any question."""
        choose, some = self.random.choice, [service.code for service in SERVICES]
        days = sorted(date(2024, 10, 1) + timedelta(days=self.random.randint(0, 540)) for _ in range(2))
        return Question(
            jurisdiction_id=self.city.id,
            first=choose((None, days[0])),
            last=choose((None, days[1])),
            service_codes=choose((None, None, tuple(sorted(self.random.sample(some, 2))), ())),
            department=choose(("", "", "", *DEPARTMENTS)),
            area=choose(("", "", "", "Harbour", "Hill", "Moon")),
            statuses=choose(((), (), (Status.OPEN,), (Status.CLOSED,), tuple(Status))),
            group_by=choose(list(Grouping)),
            within_days=choose((1, 7, 30, 365)),
        )


def sums(platform: Platform) -> list[tuple[Any, ...]]:
    """All stored sums that are not 0."""
    with platform.database.reading() as connection:
        closed = connection.exec_driver_sql("SELECT * FROM closed_count WHERE coalesce(closed, ended) > 0")
        unclosed = connection.exec_driver_sql("SELECT * FROM open_count")
        return sorted(map(tuple, [*closed, *unclosed]), key=str)


@pytest.mark.parametrize("seed", range(3))
def test_every_number_equals_a_plain_count_after_any_history(platform: Platform, seed: int) -> None:
    history = History(platform, Random(seed))
    for _ in range(3):
        for _ in range(60):
            history.happen()
        dispatch_all(platform)
        for grouping in Grouping:
            check(platform, Question(jurisdiction_id=history.city.id, group_by=grouping))
        for _ in range(20):
            check(platform, history.question())
    assert (ask(platform)[0].feedback_answered or 0) > 4
    assert ask(platform)[0].supporters > 2
    assert check_all(platform, NOW) == 0
    before = sums(platform)
    assert recount(platform, history.city, NOW) > 0
    assert sums(platform) == before


def test_groupings_that_are_asked_together_have_the_numbers_of_each_alone(platform: Platform) -> None:
    history = History(platform, Random(7))
    for _ in range(90):
        history.happen()
    dispatch_all(platform)
    for _ in range(15):
        question = history.question()
        found = answer_groupings(platform, history.city, question, Grouping, now=NOW)
        for grouping in Grouping:
            alone = answered(platform, history.city, replace(question, group_by=grouping), now=NOW)
            assert found[grouping] == alone


# --- Rules


def closed(number: int, took: timedelta, **fields: Any) -> dict[str, Any]:
    """A request that was closed a year ago, after some time."""
    at = NOW - timedelta(days=365)
    return {
        "number": number,
        "at": at,
        "updated_at": at + took,
        "changed_at": at + took,
        "status": Status.CLOSED,
    } | fields


def ask(platform: Platform, **question: Any) -> list[Row]:
    (city,) = platform.registry
    return list(answered(platform, city, Question(jurisdiction_id=city.id, **question), now=NOW).rows)


def test_an_open_request_past_its_target_counts_as_missed_and_one_not_yet_due_does_not_count(
    platform: Platform,
) -> None:
    hours = timedelta(hours=1)
    build.store_all(
        platform,
        [
            closed(1, 5 * hours, expected_at=NOW - timedelta(days=364)),
            closed(2, 50 * hours, expected_at=NOW - timedelta(days=364)),
            {"number": 3, "expected_at": NOW - hours, "at": NOW - 9 * hours},
            {"number": 4, "expected_at": NOW + hours, "at": NOW - 9 * hours},
        ],
    )
    dispatch_all(platform)
    [row] = ask(platform)
    assert (row.on_time, row.on_time_of, row.on_time_share) == (1, 3, 0.3333)
    assert (row.target_matched, row.opened) == (4, 4)


def test_services_that_are_closed_at_intake_have_no_times_and_are_named(platform: Platform) -> None:
    calls = [closed(number, timedelta(minutes=number % 5), service_code="calls") for number in range(1, 10)]
    holes = [closed(number, timedelta(hours=number), service_code="potholes") for number in range(11, 14)]
    build.store_all(platform, [*calls, closed(10, timedelta(days=9), service_code="calls"), *holes])
    dispatch_all(platform)
    (city,) = platform.registry
    question = Question(jurisdiction_id=city.id, group_by=Grouping.SERVICE)
    found = answered(platform, city, question, now=NOW)
    assert found.left_out == ("calls",)
    call, hole = found.rows
    assert (call.key, call.is_left_out, call.closed, call.timed, call.median_hours) == ("calls", True, 10, 0, None)
    assert (hole.key, hole.is_left_out, hole.median_hours, hole.p90_hours) == ("potholes", False, 12, 13)
    [whole] = ask(platform)
    assert (whole.closed, whole.timed, whole.median_hours) == (13, 3, 12)


def test_targets_are_matched_ambiguous_not_managed_or_none(platform: Platform) -> None:
    codes = ("potholes", "signs", "trees", "other")
    build.store_all(platform, ({"number": number, "service_code": code} for number, code in enumerate(codes, 1)))
    dispatch_all(platform)
    [row] = ask(platform)
    found = (row.target_matched, row.target_ambiguous, row.target_not_managed, row.target_none)
    assert found == (1, 1, 1, 1)
    words = {row.key: row.target for row in ask(platform, group_by=Grouping.SERVICE)}
    assert words == {"potholes": "4 days", "signs": "", "trees": "SLA not managed by 311", "other": ""}


def test_the_answer_says_which_days_the_targets_count(platform: Platform) -> None:
    (city,) = platform.registry

    def target_days(*codes: str) -> str:
        question = Question(jurisdiction_id=city.id, service_codes=codes or None)
        return answered(platform, city, question, now=NOW).target_days

    assert (target_days(), target_days("potholes"), target_days("calls")) == ("both", "calendar", "working")
    assert target_days("trees") == ""


def test_a_merged_request_is_left_out_until_it_is_unmerged(platform: Platform) -> None:
    build.store_all(platform, ({"number": number} for number in (1, 2)))
    (city,) = platform.registry
    act(platform, city, "R2", [commands.Merge(into="R1")], principal=SHELL, now=NOW)
    dispatch_all(platform)
    assert [row.open for row in ask(platform)] == [1]
    act(platform, city, "R2", [commands.Unmerge(reason="wrong")], principal=SHELL, now=NOW)
    dispatch_all(platform)
    assert [row.open for row in ask(platform)] == [2]


def test_a_request_in_two_areas_counts_in_each_area_and_once_in_the_whole_city(platform: Platform) -> None:
    build.store(platform, areas=("Harbour", "Hill"))
    dispatch_all(platform)
    assert [(row.key, row.open) for row in ask(platform, group_by=Grouping.AREA)] == [("Harbour", 1), ("Hill", 1)]
    assert [row.open for row in ask(platform)] == [1]
    assert [row.open for row in ask(platform, area="Hill")] == [1]


def test_a_day_is_a_day_of_the_city(platform: Platform) -> None:
    build.store(platform, at=datetime(2026, 3, 1, 4, 59, tzinfo=UTC))  # 23:59 in New York
    dispatch_all(platform)
    assert [row.key for row in ask(platform, group_by=Grouping.DAY)] == ["2026-02-28"]
    assert [row.key for row in ask(platform, group_by=Grouping.WEEK)] == ["2026-02-23"]
    assert [row.key for row in ask(platform, group_by=Grouping.MONTH)] == ["2026-02-01"]


def test_a_city_without_requests_has_zeros(platform: Platform) -> None:
    [row] = ask(platform)
    assert (row.opened, row.median_hours, row.within_share, row.on_time_share) == (0, None, None, None)
    assert ask(platform, group_by=Grouping.SERVICE) == []


def test_a_request_that_only_staff_see_is_never_counted(platform: Platform) -> None:
    build.store_all(
        platform,
        ({"number": number, "visibility": kind} for number, kind in enumerate(Visibility, 1)),
    )
    dispatch_all(platform)
    assert [row.opened for row in ask(platform)] == [1]
    build.change(platform, "R1", visibility=Visibility.WITHDRAWN)
    dispatch_all(platform)
    assert [row.opened for row in ask(platform)] == [0]


# --- As of, and what happens at the same time


def test_as_of_is_the_time_of_the_oldest_change_that_is_not_counted(platform: Platform) -> None:
    (city,) = platform.registry
    question = Question(jurisdiction_id=city.id)
    build.store(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE outbox SET written_at = '2026-02-28T10:00:00.5Z'")
    found = answered(platform, city, question, now=NOW)
    assert (found.as_of, found.rows[0].opened) == (datetime(2026, 2, 28, 10, tzinfo=UTC), 0)
    dispatch_all(platform)
    found = answered(platform, city, question, now=NOW)
    assert (found.as_of, found.rows[0].opened) == (NOW, 1)


def test_killed_and_simultaneous_dispatchers_count_each_request_once(
    platform: Platform, settings: Settings
) -> None:
    with witnessed(platform.database):
        build.store_all(platform, (closed(number, timedelta(hours=number)) for number in range(1, 101)))
        build.store_all(platform, ({"number": number, "expected_at": NOW} for number in range(101, 141)))
        run_until_killed(settings.database_url, batches=2)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(8):
            wait = [pool.submit(dispatch, platform, NOW, rows=10), pool.submit(dispatch, platform, NOW, rows=10)]
            wait.append(pool.submit(check_all, platform, NOW))
            for one in wait:
                one.result()
    dispatch_all(platform)
    check(platform, Question(jurisdiction_id="test.example", group_by=Grouping.SERVICE))
    assert [(row.closed, row.open) for row in ask(platform)] == [(100, 40)]
    before = sums(platform)
    assert check_all(platform, NOW + timedelta(days=1)) == 0
    assert [one[:8] for one in sums(platform)] == [one[:8] for one in before]


def test_a_request_is_overdue_from_its_due_date_on_whatever_the_mark_of_the_worker_says(platform: Platform) -> None:
    hours = timedelta(hours=1)
    history = History(platform, Random(8))
    for number in range(1, 31):
        build.store(platform, number=number, at=NOW - 99 * hours, expected_at=NOW + (number - 15) * hours)
    dispatch_all(platform)
    history.count = 30
    (city,) = platform.registry
    for marked_at in (NOW, NOW + 9 * hours, NOW - 9 * hours, NOW + 99 * hours, NOW - 99 * hours):
        check_all(platform, marked_at)
        for _ in range(3):
            with suppress(Open311Error):
                history.random.choice((history.close, history.reopen))()
        dispatch_all(platform)
        for as_of in (NOW, NOW - 5 * hours, NOW + 5 * hours, NOW + 50 * hours):
            question = Question(jurisdiction_id=city.id, group_by=Grouping.DEPARTMENT)
            found = answered(platform, city, question, now=as_of)
            expected = by_hand.numbers_of(items(platform), question, as_of, city.time_zone, city.levels)
            assert {row.key: plain(row) for row in found.rows} == expected
    before = sums(platform)
    recount(platform, city, NOW)
    assert sums(platform) == before


def test_the_mark_moves_in_steps_if_very_many_requests_become_overdue(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_counts, "_MOST_MARKED", 3)
    dues = [NOW - timedelta(hours=number // 5) for number in range(30)]
    build.store_all(platform, ({"number": number, "expected_at": due} for number, due in enumerate(dues, 1)))
    dispatch_all(platform)
    assert check_all(platform, NOW + timedelta(hours=1)) == 0
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT DISTINCT overdue FROM open_count").scalars().all() == [30]
    assert [row.on_time_of for row in ask(platform)] == [25]


def test_sums_of_open_requests_have_no_rows_without_requests(platform: Platform) -> None:
    build.store_all(platform, ({"number": number, "expected_at": NOW} for number in (1, 2)))
    dispatch_all(platform)
    check_all(platform, NOW + timedelta(hours=1))
    (city,) = platform.registry
    for name in ("R1", "R2"):
        act(platform, city, name, [commands.Close(outcome=Outcome.FIXED)], principal=SHELL, now=NOW)
    dispatch_all(platform)
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM open_count").scalar_one() == 0


def test_the_migration_stores_the_same_sums_and_answers_as_the_worker(platform: Platform) -> None:
    history = History(platform, Random(11))
    for _ in range(150):
        history.happen()
    dispatch_all(platform)
    (city,) = platform.registry

    def stored() -> list[Any]:
        with platform.database.transaction() as connection:
            open_counts.move_mark(connection, city.id, NOW)
            answers = "SELECT * FROM feedback WHERE answer <> '' ORDER BY 2"
            names = ", ".join(column.name for column in open_count.c if column.name != "supporters")
            queries = (f"SELECT {names} FROM open_count ORDER BY 2, 3, 4, 5, 6, 7", answers)
            return [connection.exec_driver_sql(query).all() for query in queries]

    before = stored()
    assert all(before)
    with platform.database.transaction() as connection:
        migrate(connection, "0027")
        migrate(connection)
    assert stored() == before


def test_the_check_after_the_migration_counts_the_supporters_from_before_it(platform: Platform) -> None:
    build.store_all(platform, (closed(number, timedelta(hours=number)) for number in range(2, 9)))
    build.store(platform, number=1)
    dispatch_all(platform)
    (city,) = platform.registry
    for name in ("ann", "ben"):
        person = Supporter(kind=SupporterKind.ACCOUNT, value=name)
        support(platform, city, "R1", person, principal=SHELL, now=NOW)
    dispatch_all(platform)
    check_all(platform, NOW)
    with platform.database.transaction() as connection:
        migrate(connection, "0034")
        migrate(connection)
    assert [(row.opened, row.supporters) for row in ask(platform)] == [(8, 0)]
    assert check_all(platform, NOW) == 1
    assert [(row.opened, row.supporters) for row in ask(platform)] == [(8, 2)]


def test_people_who_support_a_request_at_once_are_all_counted_in_the_statistics(platform: Platform) -> None:
    build.store(platform, number=1)
    dispatch_all(platform)
    (city,) = platform.registry
    people = [Supporter(kind=SupporterKind.ACCOUNT, value=f"user-{number}") for number in range(12)]

    def press(one: Supporter) -> None:
        support(platform, city, "R1", one, principal=SHELL, now=NOW)
        dispatch(platform, NOW)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(press, people))
    dispatch_all(platform)
    assert ask(platform)[0].supporters == 12
    for one in people[:5]:
        take_back(platform, city, "R1", one, principal=SHELL)
    dispatch_all(platform)
    assert ask(platform)[0].supporters == 7
    assert check_all(platform, NOW) == 0


def test_supporters_that_are_not_counted_yet_hold_back_as_of(platform: Platform) -> None:
    build.store(platform, number=1)
    dispatch_all(platform)
    (city,) = platform.registry
    later = utc_now() + timedelta(days=1)
    question = Question(jurisdiction_id=city.id)
    person = Supporter(kind=SupporterKind.ACCOUNT, value="user-1")
    support(platform, city, "R1", person, principal=SHELL, now=NOW)
    before = answered(platform, city, question, now=later)
    assert (before.as_of < later, before.rows[0].supporters) == (True, 0)
    dispatch_all(platform)
    after = answered(platform, city, question, now=later)
    assert (after.as_of, after.rows[0].supporters) == (later, 1)


def test_a_failure_to_count_supporters_does_not_stop_the_changes_of_requests(platform: Platform) -> None:
    build.store(platform, number=1)
    dispatch_all(platform)
    (city,) = platform.registry
    person = Supporter(kind=SupporterKind.ACCOUNT, value="user-1")
    support(platform, city, "R1", person, principal=SHELL, now=NOW)
    build.store(platform, number=2)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE counted_request ADD CONSTRAINT fault CHECK (supporters = 0)")
    dispatch_all(platform)
    assert [(row.opened, row.supporters) for row in ask(platform)] == [(2, 0)]
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE counted_request DROP CONSTRAINT fault")
        assert connection.exec_driver_sql("SELECT count(*) FROM support_change").scalar_one() == 1
        assert connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one() == 0
    dispatch_all(platform)
    assert [(row.opened, row.supporters) for row in ask(platform)] == [(2, 1)]


def test_requests_from_before_the_statistics_are_counted_by_the_check(platform: Platform) -> None:
    build.store_all(platform, (closed(number, timedelta(hours=number)) for number in range(1, 31)))
    dispatch_all(platform)
    (city,) = platform.registry
    with platform.database.transaction() as connection:
        counted_requests.forget(connection, city.id)
    with pytest.raises(Unavailable, match="counted for the first time"):
        ask(platform)
    assert check_all(platform, NOW) == 30
    assert [row.closed for row in ask(platform)] == [30]
    assert check_all(platform, NOW) == 0


def test_the_daily_check_corrects_sums_that_differ_from_the_counted_requests(platform: Platform) -> None:
    history = History(platform, Random(5))
    for _ in range(150):
        history.happen()
    dispatch_all(platform)
    with platform.database.transaction() as connection:
        open_counts.move_mark(connection, history.city.id, NOW)
    before = sums(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE closed_count SET closed = closed + 7 WHERE cut = 'all' AND grain = 'ever'"
        )
        connection.exec_driver_sql("UPDATE closed_count SET bucket_3 = 9, ended = NULL WHERE cut = 'area'")
        connection.exec_driver_sql("DELETE FROM closed_count WHERE cut = 'service_area' AND grain = 'month'")
        connection.exec_driver_sql("UPDATE open_count SET open = open + 7, overdue = 1 WHERE cut = 'service'")
        connection.exec_driver_sql("DELETE FROM open_count WHERE cut = 'area'")
    assert sums(platform) != before
    assert check_all(platform, NOW) > 10
    assert sums(platform) == before
    assert check_all(platform, NOW + timedelta(days=1)) == 0


def test_the_daily_check_corrects_counts_and_goes_on_where_it_was_interrupted(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics_counting, "ROWS_PER_TRANSACTION", 4)
    build.store_all(platform, ({"number": number} for number in range(1, 11)))
    dispatch_all(platform)
    assert check_all(platform, NOW) == 0
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM counted_request WHERE id IN (2, 9)")
        counted_requests.save_check(connection, "test.example", counted_requests.Check(4, NOW))
    assert check_all(platform, NOW) > 1  # request 9, and sums that had the deleted rows too
    assert check_all(platform, NOW + timedelta(hours=1)) == 0
    assert check_all(platform, NOW + timedelta(days=1)) == 1
    assert [row.open for row in ask(platform)] == [10]
