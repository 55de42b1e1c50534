"""The statistics computed by plain loops over the items of the public list, to check the server's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from open311.domain.service_levels import ServiceLevels
from open311.domain.statistics import Question

BANDS = {
    "open_up_to_7_days": (-1_000_000, 7),
    "open_up_to_30_days": (7, 30),
    "open_up_to_90_days": (30, 90),
    "open_up_to_365_days": (90, 365),
    "open_longer": (365, 1_000_000),
}
TARGETS = ("matched", "ambiguous", "not_managed", "none")
NAMES = (
    *("opened", "closed", "open", "closed_in_period", "timed", "median_hours", "p90_hours"),
    *("within", "within_of", "on_time", "on_time_of"),
    *BANDS,
    *(f"target_{target}" for target in TARGETS),
    "supporters",
    *("feedback_asked", "feedback_answered", "feedback_yes", "feedback_partly", "feedback_no"),
)
"""The numbers of a row."""
Item = dict[str, Any]
"""A request as `requests.json?extensions=true` shows it.

It can have one more field, `feedback`: the last answer of a reporter who was asked, "" for none.
"""


def numbers_of(
    items: Iterable[Item],
    question: Question,
    as_of: datetime,
    zone: str = "UTC",
    levels: ServiceLevels | None = None,
    every: Iterable[Item] | None = None,
) -> dict[str, dict[str, Any]]:
    """The numbers of each group, by its key, without groups that have no requests.

    every  all items of the city, if `items` are only some
    """
    reports = [Report(item, zone, levels) for item in items]
    instant = _closed_at_once(reports if every is None else [Report(item, zone, levels) for item in every])
    groups: dict[str, list[Report]] = {"": []} if question.group_by == "" else {}
    ended: dict[str, int] = {}
    for report in reports:
        if not _fits(report, question):
            continue
        if _is_between(report.requested_on, question):
            for key in _keys(report, question, report.requested_on):
                groups.setdefault(key, []).append(report)
        if report.closed_on and _is_between(report.closed_on, question):
            for key in _keys(report, question, report.closed_on):
                groups.setdefault(key, [])
                ended[key] = ended.get(key, 0) + 1
    return {
        key: _numbers(group, ended.get(key, 0), question, as_of, zone, instant) for key, group in groups.items()
    }


class Report:
    """One item, with its times read."""

    def __init__(self, item: Item, zone: str, levels: ServiceLevels | None) -> None:
        more = item["extended_attributes"]
        self.service: str = item["service_code"]
        self.group: str = more["group"] or ""
        self.department: str = more["department"] or ""
        self.areas: list[str] = more["areas"] or [""]
        self.requested = _instant(item["requested_datetime"])
        self.closed = _instant(more["closed_datetime"]) if item["status"] == "closed" else None
        self.expected = _instant(item["expected_datetime"]) if item["expected_datetime"] else None
        self.requested_on = self.requested.astimezone(ZoneInfo(zone)).date()
        self.closed_on = self.closed.astimezone(ZoneInfo(zone)).date() if self.closed else None
        self.target = self._target(levels)
        self.supporters: int = more.get("supporters") or 0
        self.feedback: str | None = item.get("feedback") if self.closed else None

    @property
    def status(self) -> str:
        """open or closed."""
        return "closed" if self.closed else "open"

    @property
    def took(self) -> timedelta:
        """The time from the report to the closing."""
        assert self.closed
        return self.closed - self.requested

    def _target(self, levels: ServiceLevels | None) -> str:
        if self.expected:
            return "matched"
        fitting = levels.deciding(self.service, self.department) if levels else ()
        if not fitting:
            return "none"
        units = {(rule.level.amount, rule.level.unit) for rule in fitting}
        if len(units) > 1:
            return "ambiguous"
        return "matched" if fitting[0].level.unit else "not_managed"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _closed_at_once(reports: list[Report]) -> set[str]:
    """The services with at least ten closed reports, nine of ten of them within six minutes."""
    found = set()
    for service in {report.service for report in reports}:
        closed = [report for report in reports if report.service == service and report.closed]
        quick = [report for report in closed if report.took < timedelta(minutes=6)]
        if len(closed) >= 10 and len(quick) / len(closed) >= 0.9:
            found.add(service)
    return found


def _fits(report: Report, question: Question) -> bool:
    return (
        (question.service_codes is None or report.service in question.service_codes)
        and question.department in ("", report.department)
        and (not question.area or question.area in report.areas)
        and (not question.statuses or report.status in question.statuses)
    )


def _is_between(day: date, question: Question) -> bool:
    return (question.first or date.min) <= day <= (question.last or date.max)


def _keys(report: Report, question: Question, day: date) -> list[str]:
    by: dict[str, Callable[[], list[str]]] = {
        "": lambda: [""],
        "service": lambda: [report.service],
        "group": lambda: [report.group],
        "department": lambda: [report.department],
        "area": lambda: [area for area in report.areas if question.area in ("", area)],
        "day": lambda: [day.isoformat()],
        "week": lambda: [(day - timedelta(days=day.weekday())).isoformat()],
        "month": lambda: [day.isoformat()[:8] + "01"],
    }
    return by[question.group_by]()


def _numbers(
    reports: list[Report], ended: int, question: Question, as_of: datetime, zone: str, instant: set[str]
) -> dict[str, Any]:
    today = as_of.astimezone(ZoneInfo(zone)).date()
    unclosed = [report for report in reports if not report.closed]
    ages = [(today - report.requested_on).days for report in unclosed]
    timed = [report for report in reports if report.service not in instant]
    hours = sorted(max(0, int(report.took.total_seconds() // 3600)) for report in timed if report.closed)
    long_open = [
        report
        for report in timed
        if not report.closed and (today - report.requested_on).days > question.within_days
    ]
    within = [number for number in hours if number < question.within_days * 24]
    promised = [report for report in timed if report.expected]
    on_time = [report for report in promised if report.closed and report.closed <= report.expected]
    judged = [report for report in promised if report.closed or report.expected < as_of]
    return {
        "opened": len(reports),
        "closed": len(reports) - len(unclosed),
        "open": len(unclosed),
        "closed_in_period": ended,
        **{name: sum(least < age <= most for age in ages) for name, (least, most) in BANDS.items()},
        "timed": len(hours),
        "median_hours": hours[ceil(len(hours) * 0.5) - 1] if hours else None,
        "p90_hours": hours[ceil(len(hours) * 0.9) - 1] if hours else None,
        "within": len(within),
        "within_of": len(hours) + len(long_open),
        "on_time": len(on_time),
        "on_time_of": len(judged),
        **{f"target_{target}": sum(report.target == target for report in reports) for target in TARGETS},
        "supporters": sum(report.supporters for report in reports),
        **_answers([report.feedback for report in reports if report.feedback is not None]),
    }


def _answers(said: list[str]) -> dict[str, int | None]:
    """The numbers about reporters who were asked, from the answer of each; nothing for fewer than five answers."""
    counts = {
        "feedback_asked": len(said),
        "feedback_answered": sum(bool(answer) for answer in said),
        "feedback_yes": said.count("solved"),
        "feedback_partly": said.count("partly"),
        "feedback_no": said.count("not_solved"),
    }
    return {name: number if counts["feedback_answered"] >= 5 else None for name, number in counts.items()}
