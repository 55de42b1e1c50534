"""Parameters and bodies of the statistics (spec/extensions.md, Q1 to Q14)."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields

from schemas.arguments import RequestSearchArguments
from schemas.base import Body, Instant, Items, OptionalText, Share, Text, describe
from schemas.limits import WITHIN_DAYS
from schemas.parameters import ChoiceParameter, FlagParameter, InstantParameter

GROUPINGS = ("service", "group", "department", "area", "day", "week", "month")


class StatisticsArguments(RequestSearchArguments):
    """The parameters of the statistics: the filters of a list, without its window of 90 days and its pages."""

    class Meta:
        unknown = EXCLUDE
        exclude = (
            "service_request_id",
            "service_request_id_ext",
            "account_id",
            "sort",
            "extensions",
            "cursor",
            "page",
            "page_size",
            "count",
        )

    start_date = InstantParameter("The first day of requested_datetime, in the city's time zone.", "2026-03-01")
    end_date = InstantParameter("The last day of requested_datetime.", "2026-03-31", is_end=True)
    group_by = ChoiceParameter(
        "One row for each service, group, department, area, day, week or month; without it, one row for all.",
        "service",
        choices=GROUPINGS,
        default="",
    )
    within_days = ChoiceParameter(
        'N of "closed within N days".', "7", choices=tuple(map(str, WITHIN_DAYS)), default="7"
    )


class StatisticsTableArguments(StatisticsArguments):
    """The parameters of the statistics as CSV."""

    bom = FlagParameter("true: the file begins with a byte order mark, for Excel.", default=False)


def _count(text: str, example: int) -> fields.Integer:
    return fields.Integer(metadata=describe(text, example))


def _hours(text: str, example: int) -> fields.Integer:
    return fields.Integer(allow_none=True, metadata=describe(text, example))


def _answers(text: str, example: int) -> fields.Integer:
    return fields.Integer(allow_none=True, metadata=describe(f"{text} null for fewer than 5 answers.", example))


class StatisticsRowSchema(Body):
    """The numbers of one group of requests."""

    xml_item = "row"

    key = OptionalText(
        metadata=describe("The code of the service or department, the name of the group or area, or the first day.")
    )
    name = OptionalText(metadata=describe("The name for people.", "Pothole"))
    opened = _count("Requests that were reported in the period.", 120)
    closed = _count("Those of them that are closed now.", 100)
    open = _count("Those of them that are open now.", 20)
    closed_in_period = _count("Requests that were closed in the period, whenever they were reported.", 105)
    open_up_to_7_days = _count("Open requests that are at most 7 days old.", 8)
    open_up_to_30_days = _count("Open requests that are 8 to 30 days old.", 6)
    open_up_to_90_days = _count("Open requests that are 31 to 90 days old.", 4)
    open_up_to_365_days = _count("Open requests that are 91 to 365 days old.", 2)
    open_longer = _count("Open requests that are older.", 0)
    timed = _count("The closed requests that the hours are about.", 100)
    median_hours = _hours("Half of them were closed within these hours; null if there are none.", 61)
    p90_hours = _hours("Nine of ten of them were closed within these hours; null if there are none.", 240)
    within = _count("Requests that were closed within N days.", 80)
    within_of = _count("The closed requests, and the open ones that are more than N days old.", 108)
    within_share = Share(metadata=describe("within / within_of; null if that is 0.", 0.7407))
    on_time = _count("Requests that were closed by their expected_datetime.", 70)
    on_time_of = _count("The closed requests with an expected_datetime, and the open ones that are past it.", 100)
    on_time_share = Share(metadata=describe("on_time / on_time_of; null if that is 0.", 0.7))
    target_matched = _count("Requests for which one target applies.", 105)
    target_ambiguous = _count("Requests for which several targets apply that disagree.", 0)
    target_not_managed = _count("Requests whose time the city does not manage.", 5)
    target_none = _count("Requests without a target.", 10)
    supporters = _count("People who support the requests of `opened`, counted for each request.", 240)
    feedback_asked = _answers("Closed requests whose reporter was asked whether the problem is solved.", 40)
    feedback_answered = _answers("Reporters who answered.", 25)
    feedback_yes = _answers("Those who said that it is solved.", 20)
    feedback_partly = _answers("Those who said that it is solved in part.", 2)
    feedback_no = _answers("Those who said that it is not solved.", 3)
    feedback_share = Share(
        metadata=describe("feedback_yes / feedback_answered; null for fewer than 5 answers.", 0.8)
    )
    target = OptionalText(metadata=describe("A service's own target, in the city's words.", "4 days"))
    is_left_out = fields.Boolean(
        metadata=describe("true for a service whose times are left out, because it is closed at intake.", False)
    )


class StatisticsSchema(Body):
    """The answer: what was counted and how, and a row for each group."""

    xml_root = "statistics"

    as_of = Instant(metadata=describe("Every change before this time is counted.", "2026-04-02T09:30:00Z"))
    group_by = OptionalText(metadata=describe("What each row is about; null if there is one row.", "service"))
    start_date = OptionalText(metadata=describe("The first day of the period; null without one.", "2026-03-01"))
    end_date = OptionalText(metadata=describe("The last day of the period; null without one.", "2026-03-31"))
    within_days = fields.Integer(metadata=describe('N of "closed within N days".', 7))
    days = Text(metadata=describe("What N counts: always calendar days, of 24 hours.", "calendar"))
    target_days = OptionalText(
        metadata=describe("What the targets count: calendar, working or both; null without targets.", "calendar")
    )
    left_out = Items(
        fields.String(),
        xml_item="service_code",
        metadata=describe("Services whose times are left out, because they are closed at intake."),
    )
    rows = fields.List(fields.Nested(StatisticsRowSchema), metadata=describe("The groups, by key."))
