"""The keys of a city's files. Each has a type, a default and a meaning.

`make keys` generates the tables of jurisdictions/README.md from this module.
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from open311.domain.abuse import AbuseRules
from open311.domain.assets import LayerRule
from open311.domain.calendar import Calendar, DayKind
from open311.domain.emergencies import Emergency
from open311.domain.forms import FIELDS
from open311.domain.lexicons import Synonym
from open311.domain.mails import DepartmentMail, MailRules
from open311.domain.personal_data import Privacy
from open311.domain.requests import Progress
from open311.domain.retention import MOST_DAYS, Retention
from open311.domain.routing import Rule
from open311.domain.seasons import Season, read_month_day
from open311.domain.sensors import FIELDS as SENSOR_FIELDS
from open311.domain.sensors import Sensor, SensorRule, SensorTexts
from open311.domain.service_levels import LevelRule
from open311.domain.services import (
    Attribute,
    AttributeTranslation,
    Audience,
    Condition,
    Datatype,
    Department,
    Move,
    PhotoRule,
    Service,
    ServiceTranslation,
    ServiceType,
    Translation,
    Value,
    Vicinity,
    WhenReplaced,
)
from open311.domain.sms import SmsOccasion, SmsRules
from open311.domain.workflow import MOMENTS, CitizenText, CityState, Outcome, State
from open311.plugins.declared.keys import (
    ByCode,
    Choice,
    Chosen,
    CitizenSentence,
    Flag,
    Key,
    LowerCase,
    MailAddress,
    Measure,
    Number,
    OneTable,
    Phrases,
    Table,
    Tables,
    Text,
    Texts,
    shown,
)
from open311.plugins.declared.privacy import PrivacyTable, ServicePrivacyTable
from open311.plugins.declared.times import Days, Holidays, Level, OfficeHours, Spans, Weekdays
from open311.settings import is_rate
from schemas.arguments import SubmissionArguments
from schemas.limits import MAX_VICINITY_DAYS, MAX_VICINITY_M

USUAL = Vicinity()
FALLBACK = "the first language's"


class DepartmentTable(Table):
    """A department of the city."""

    makes, header, noun = Department, "[[departments]]", "department"

    code = Text("Your short name for the department; `department` and `triage` use it")
    name = Text("The department's public name, shown as `agency_responsible`")
    service_level = Level(
        "The service level of its services that have none of their own, such as `10 working days`",
        default=None,
        unset="none",
    )


class VicinityTable(Table):
    """The limits within which an earlier request counts as a possible duplicate."""

    makes, header = Vicinity, "[duplicates] or [services.duplicates]"

    radius_m = Number(
        f"Greatest distance in metres, at most {MAX_VICINITY_M}; with `0`, no request is a duplicate",
        least=0,
        most=MAX_VICINITY_M,
        default=int(USUAL.radius_m),
    )
    days = Number(
        f"Greatest age of the earlier request in days, at most {MAX_VICINITY_DAYS}",
        least=1,
        most=MAX_VICINITY_DAYS,
        default=USUAL.days,
    )


class RetentionTable(Table):
    """How long personal data and photos are kept after a request was closed."""

    makes, header = Retention, "[retention] or [services.retention]"

    reporter_days = Number(
        "Days from the closing of a request until its reporter and the senders of its updates become anonymous",
        least=0,
        most=MOST_DAYS,
        default=None,
        unset="for a service: as for the city; for the city: never",
    )
    photo_days = Number(
        "Days from the closing of a request until the photos of the request and of its updates are erased, with"
        " their files. Addresses of photos on other servers are removed at the same time",
        least=0,
        most=MOST_DAYS,
        default=None,
        unset="for a service: as for the city; for the city: never",
    )


class Rate(Text):
    """A rate, such as `20 per hour`."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The text, if it is a rate."""
        text = super().deserialize(value, attr, data, **kwargs)
        if text and not is_rate(text):
            raise ValidationError(f"must look like 20 per hour, not {shown(text)}.")
        return text


class Honeypot(Text):
    """The name of a form's field that no call needs."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The name, if it is no name of a parameter."""
        name = super().deserialize(value, attr, data, **kwargs)
        known = SubmissionArguments()
        if known.own_name(name) in known.parameters or "[" in name or name != name.strip():
            raise ValidationError(
                f"must be a name that no parameter of a report has, such as website, not {shown(name)}."
            )
        return name


class AbuseTable(Table):
    """What makes a report or an update suspected: it is answered as usual, and held until a person decides."""

    makes, header = AbuseRules, "[abuse]"

    honeypot = Honeypot(
        "Name of a form's field that people do not see; a report or an update that fills it is suspected",
        default="",
    )
    per_key = Rate(
        "Largest rate of reports with one api_key, such as `200 per hour`; the same for updates", default=""
    )
    per_address = Rate(
        "Largest rate of reports from one network address, such as `20 per hour`; the same for updates", default=""
    )
    per_device = Rate("Largest rate of reports with one device_id", default="")
    most_repeats = Number(
        "How often the same text may come for the same place, or for the same request, from one device or address"
        " within an hour; with `0`, there is no limit",
        least=0,
        most=1_000,
        default=0,
    )


class MailTable(Table):
    """Mail to reporters, to others who follow a request, and to departments."""

    makes, header = MailRules, "[mail]"

    reporters = Flag(
        "Whether reporters who give an address get mail about their requests, after they have agreed by a link",
        default=False,
    )
    followers = Flag(
        "Whether everybody can follow a public request by mail, and get mail about all requests of a filter",
        default=False,
    )
    sender = Text("The name of the sender of these mails", default="", unset="the city's name")
    reply_to = MailAddress("The mail address to which answers go", default="", unset="the sender's")
    footer = Text("A sentence at the end of each mail, in the city's first language", default="")
    collect_minutes = Number(
        "For how many minutes the changes of a request are collected for one mail", least=0, most=1_440, default=10
    )
    feedback = Flag("Whether reporters are asked after a closing whether the problem is solved", default=True)
    reopen_days = Number(
        "For how many days after a closing the reporter can open the request again by a link in the mail; with `0`,"
        " never",
        least=0,
        most=365,
        default=0,
    )
    departments = ByCode(
        MailAddress(), 'The mail addresses of departments by their codes, as in `streets = "streets@city.example"`'
    )
    about = Chosen(
        DepartmentMail,
        "What departments get mail about: `new` requests, those that are `overdue`, and once a day (`daily`) the"
        " numbers of open and overdue requests with a list of the new ones",
        default=tuple(DepartmentMail),
        unset="all of them",
    )


class SmsTable(Table):
    """Text messages to reporters who ask for them."""

    makes, header = SmsRules, "[sms]"

    kind = Text("The kind of sender, such as `webhook`")
    about = Chosen(
        SmsOccasion,
        "What reporters are told: that the report has come in (`received`), its state (`status`), and that it was"
        " closed and how (`closed`)",
        default=tuple(SmsOccasion),
        unset="all of them",
    )
    quiet = Spans(
        'Hours at which no message is sent, in the city\'s time zone, as in `"21:00-08:00"`; a list is also valid',
        default=(),
        unset="none",
    )
    per_number = Number(
        "How many messages a number gets from this city within 24 hours at most", least=1, most=100, default=5
    )
    per_city = Number(
        "How many messages the city sends within 24 hours at most", least=1, most=1_000_000, default=1_000
    )
    abroad = Flag(
        "Whether numbers of countries other than `phone_region` get messages too, also if they have the same code,"
        " as in the USA and Jamaica. Numbers of Guernsey, Jersey and the Isle of Man count as British",
        default=False,
    )


class EmergencyTable(Table):
    """The number to call in an emergency. Reports that sound like an emergency are accepted as usual."""

    makes, header = Emergency, "[emergency]"

    number = Text("The number to call, such as `112`")
    words = Texts(
        "Words and phrases that sound like an emergency, in any language, such as `gas smell` or `olor a gas`;"
        " whoever writes one of them is shown the number",
        default=(),
    )


class ValueTable(Table):
    """One choice of a list attribute. A plain string is both key and name."""

    makes, header, noun, known_by = Value, "{ key = …, name = … }", "value", "key"

    key = Text("The answer that apps send and the server stores; a number must be in quotes too")
    name = Text("The answer that people see")

    def misfit(self, value: object) -> str:
        """The message for a value that is neither a string nor a table."""
        return f"must be a string or a table ({self.header}), not {shown(value)}."


class Values(Tables):
    """The choices of a list attribute. A plain string is both key and name."""

    kind = "a list"

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            value = [{"key": item, "name": item} if isinstance(item, str) else item for item in value]
        return super()._deserialize(value, *args, **kwargs)


class Conditions(ByCode):
    """Conditions on the answers to other attributes: the answers that fit, by the attribute's code."""

    def __init__(self, each: Key, meaning: str) -> None:
        super().__init__(each, meaning)
        self.load_default = ()

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, *args, **kwargs)
        return tuple(Condition(code, values) for code, values in found.items())


class MonthDay(Key):
    """A day of each year, as `month-day`."""

    kind = 'a string such as "04-01", month and day'

    @property
    def type(self) -> str:
        """The type's name in jurisdictions/README.md."""
        return "string"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[int, int]:
        try:
            return read_month_day(value)
        except (TypeError, ValueError):
            raise self.misfit(value) from None


class AttributeTable(Table):
    """A question of a service, or a note."""

    makes, header, noun = Attribute, "[[services.attributes]]", "attribute"

    code = Text("The code, which apps send as `attribute[CODE]`; it must not contain brackets")
    description = Text("The question")
    datatype = Choice(
        Datatype,
        "Type of the answer. `string` is one line, `text` many lines, `singlevaluelist` one of the `values`,"
        " `multivaluelist` any number of them",
        default=Datatype.STRING,
    )
    required = Flag("Whether a POST without an answer to it is refused", default=False)
    variable = Flag("Whether it is a question; if `false`, the description is only a note to read", default=True)
    datatype_description = Text("A hint how to write the answer", default="")
    public = Flag(
        "Whether everybody may see the answers (`extensions=attributes`)."
        " Never set it to `true` if an answer may contain personal data",
        default=None,
        unset="`true` for lists, `false` for all other types",
    )
    hidden = Flag(
        "Whether the definition leaves the attribute out. Apps that know its code can send it. The answers are"
        " never public",
        default=False,
    )
    set_to = Text(
        "The answer, which the server gives and apps cannot send. It may have these fields in braces:"
        f" {', '.join(f'`{name}`' for name in FIELDS)}",
        default="",
    )
    default = Texts("The answer if the app sends none", default=())
    only_if = Conditions(
        Texts(default=()),
        "The question is asked only if each of these attributes, which come before it, has one of these answers, as"
        ' in `{ KIND = ["other"] }`',
    )
    asset_layer = Text(
        "Name of the layer whose assets have the ids that are valid answers, see `[[layers]]`", default=""
    )
    review = Flag(
        "Whether a request with an answer to it is shown to the public only after a person has released it",
        default=False,
    )
    values = Values(
        ValueTable(),
        'The choices of the two list datatypes: `{ key = "brick", name = "Brick" }`; `"brick"` is key and name',
    )


class SeasonTable(Table):
    """The part of each year in which a service can be reported."""

    makes, header, noun = Season, "[services.season]", "table"

    first = MonthDay("The first day, as `month-day` in the city's time zone, such as `04-01`")
    last = MonthDay("The last day; if it is before `first`, the season includes New Year")


class MoveTable(Table):
    """How answers are carried when a request moves to another service."""

    makes, header, noun, known_by = Move, "[[services.moves]]", "move", "to"

    to = Text("Code of the other service")
    attributes = ByCode(
        Text(),
        "The code that an attribute of this service has in the other service, as in"
        ' `KIND_HERE = "KIND_THERE"`. Attributes that are not in this table keep their codes',
    )
    values = ByCode(
        ByCode(Text(), ""),
        "For each attribute of this service, the keys here and the keys in the other service, as in"
        ' `{ KIND_HERE = { car = "vehicle" } }`. Other keys stay',
    )


class ServiceTable(Table):
    """A kind of request that citizens can send."""

    makes, header, noun = Service, "[[services]]", "service"

    code = Text(
        "The `service_code`. Any text is allowed, also with `:`, `/`, `&`, blanks or leading zeros; case matters."
        " Never change a code: retire the old one with an alias"
    )
    name = Text("The `service_name`")
    description = Text("One or two sentences for citizens", default="")
    group = Text("A heading under which apps show the service", default="")
    keywords = Texts("Other words for the service, such as old names", default=())
    type = Choice(
        ServiceType,
        "What the answer to a POST has: an id (`realtime`), a token (`batch`), or only the notice (`blackbox`)",
        default=ServiceType.REALTIME,
    )
    department = Text('Code of the department that does the work; `""` means triage', default="")
    notice = Text("The `service_notice` in the answer to a POST", default="")
    duplicates = OneTable(
        VicinityTable(),
        "Limits for possible duplicates of this service, see below",
        default=None,
        unset="the city's",
    )
    retention = OneTable(
        RetentionTable(),
        "How long personal data and photos of its requests are kept, see below",
        default=Retention(),
        unset="the city's",
    )
    include_areas = Texts("Names of features in `areas.geojson`; the service is offered only in these", default=())
    exclude_areas = Texts("Names of features in `areas.geojson` in which the service is not offered", default=())
    service_level = Level(
        "By when a request should be done, such as `4 days`, see below", default=None, unset="the department's"
    )
    attributes = Tables(AttributeTable(), "The questions, in the order in which apps ask them")
    audience = Choice(
        Audience,
        "Who can report to it. `public`: everybody. `private`: everybody who knows the code; no list shows the"
        " service. `staff`: only apps with a key of staff; the public does not see the service",
        default=Audience.PUBLIC,
    )
    public = Flag(
        "Whether everybody may see the requests; if `false`, only staff see them",
        default=None,
        unset="`true`; `false` for staff's services",
    )
    review = Flag("Whether a new request is shown to the public only after a person has released it", default=False)
    privacy = OneTable(
        ServicePrivacyTable(),
        "What happens to personal data in the texts of its requests, see below",
        default=None,
        unset="as in the whole city",
    )
    photos = Choice(
        PhotoRule,
        "Who can see the photos of public requests. `public`: everybody. `held`: everybody, after a person has"
        " released them. `private`: only staff",
        default=None,
        unset="the city's",
    )
    active = Flag(
        "Whether it is still offered; if `false`, a POST is refused, and old requests stay readable", default=True
    )
    season = OneTable(
        SeasonTable(), "The part of the year in which it can be reported", default=None, unset="the whole year"
    )
    replaced_by = Text("Code of the service that has taken its place", default="")
    when_replaced = Choice(
        WhenReplaced,
        "What happens to a POST with this code if the service is replaced: `accept` stores it under the new code,"
        " `refuse` answers 404",
        default=WhenReplaced.ACCEPT,
    )
    instead = Text("Advice for the caller when a POST is refused", default="")
    moves = Tables(MoveTable(), "How answers are carried when a request moves to another service")


class LayerTable(Table):
    """Assets of one kind, such as street lights."""

    makes, header, noun, known_by = LayerRule, "[[layers]]", "layer", "name"

    name = Text("The layer's name; its assets are the features of `layers/NAME.geojson`")
    id = Text("The property of a feature that holds the asset's id", default="id")
    radius_m = Number(
        f"How far an asset may be from the point of a request, in metres, at most {MAX_VICINITY_M}",
        least=1,
        most=MAX_VICINITY_M,
        default=30,
    )
    unknown_id = Choice(
        ("refuse", "warn"),
        "For an id that the layer does not have near the point: `refuse` answers a POST with 400, `warn` stores the"
        " id and adds a `Warning`",
        default="refuse",
    )
    fill = Flag(
        "Whether the server gives the answer if the app sends none and exactly one asset is near the point",
        default=False,
    )


class RouteTable(Table):
    """An exception to the services' own departments."""

    makes, header, noun = Rule, "[[routes]]", "route"

    department = Text("Code of the department that gets the request when all other keys of the route fit")
    service = Text('A service\'s code; `""` for any', default="")
    answers = ByCode(
        Texts(default=()),
        'For each attribute, the answers that fit, such as `{ SURFACE = ["metal", "001"] }`',
    )
    area = Text("Name of a feature in `areas.geojson`; a request without coordinates is in no area", default="")
    hours = Spans(
        'Hours of the day in the city\'s time zone, such as `"22:00-06:00"`, or a list of them', default=()
    )
    weekdays = Weekdays('Days of the week, such as `"sat"` or `"mon-fri"`, or a list of them', default=())
    day = Choice(
        DayKind,
        "A kind of day by the `[calendar]`; a `day_off` is a holiday, or a day of the week without office hours",
        default="",
    )

    def title(self, table: object, number: int) -> str:
        """A route's name in messages: its number and its department, because routes have no code."""
        department = table.get("department") if isinstance(table, dict) else None
        return f"route no. {number}" + (f" to {department}" if isinstance(department, str) else "")


_WORK = {State(progress.value) for progress in Progress if progress}


class StateTable(Table):
    """A city's name for a state of requests, or a state that the city adds inside one of ours."""

    makes, header, noun, known_by = CityState, "[[states]]", "state", "state"

    state = Choice(State, "The state that gets another name, or to which your own state belongs")
    code = Text(
        "Your short name for a state of your own, only within acknowledged, in_progress, scheduled and on_hold;"
        ' `""` to give the state itself another name',
        default="",
    )
    name = Text("What people read", default="", unset="the state")
    hidden = Flag(
        "Whether staff do not use the state; only acknowledged, in_progress, scheduled and on_hold can be hidden",
        default=False,
    )

    def _load_fast(self, table: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        raise KeyError("state")  # the caller then uses `load`, because only `load` runs `_check`

    @validates_schema
    def _check(self, table: dict[str, Any], **_: object) -> None:
        if (table["code"] or table["hidden"]) and table["state"] not in _WORK:
            raise ValidationError(
                {
                    "state": [
                        f"must be one of {', '.join(sorted(_WORK))} to be hidden or to have states of your own."
                    ]
                }
            )
        if table["hidden"] and table["code"]:
            raise ValidationError({"hidden": ["hides one of the states of work; leave out `code`."]})


class CitizenTextTable(Table):
    """What citizens read when staff close, merge, unmerge, reopen or schedule a request and write no text."""

    makes, header, noun, known_by = CitizenText, "[[texts]]", "text", "outcome"

    outcome = Choice((*Outcome, *MOMENTS), "How the request ended, or what happened to it, see above")
    service = Text('A service\'s code; `""` for all services that have no text of their own', default="")
    text = CitizenSentence("The text. It may hold `{department}`, `{service}`, `{address}`, `{date}` and `{into}`")


class CalendarTable(Table):
    """The days and hours at which the city works."""

    makes, header = Calendar, "[calendar]"

    office_hours = OfficeHours(
        "The hours of work by days of the week, such as"
        ' `{ "mon-thu" = "08:00-16:00", fri = ["08:00-12:00", "13:00-15:00"] }`'
    )
    holidays = Holidays(
        "The country, or a part of it, whose public holidays are days off, as a code of ISO 3166: `FI`, `US-NY`",
        default="",
    )
    closed = Days('The city\'s own closing days: `"2026-12-24"`, or `"12-24"` for every year', default=())
    working = Days("Days on which the city works although they are public holidays", default=())


class ServiceLevelTable(Table):
    """A service level for some requests of a service or a department."""

    makes, header, noun = LevelRule, "[[service_levels]]", "service level"

    level = Level("By when such a request should be done, such as `4 days`")
    service = Text('A service\'s code; `""` for any', default="")
    department = Text('A department\'s code; `""` for any', default="")
    answers = ByCode(
        Texts(default=()),
        'For each attribute, the answers that fit, such as `{ SURFACE = ["metal", "001"] }`',
    )


class SynonymTable(Table):
    """Words that people say, and words that services have for the same."""

    makes, header, noun, known_by = Synonym, "[[synonyms]]", "synonym", "said"

    said = Phrases("Words and phrases that people write, such as `crater` or `hole in the road`")
    means = Phrases(
        "Words and phrases such as `pothole`. A service fits if the words of one of them are all in its"
        " name, keywords or description"
    )


class SensorSentence(CitizenSentence):
    """A sentence about what a sensor reports."""

    names = SENSOR_FIELDS


_MOST_RESULT = 1e15
_SENSOR_NAMES = ", ".join(f"`{{{name}}}`" for name in SENSOR_FIELDS)


class SensorRuleTable(Table):
    """A condition that sensors report. One of `above`, `below` and `silent_minutes` must be given."""

    makes, header, noun = SensorRule, "[[sensor_rules]]", "sensor rule"

    code = Text("Your short name for the rule; `rules` of a sensor uses it")
    service = Text("Code of the service of the request")
    description = SensorSentence(f"The description of the request. It may hold {_SENSOR_NAMES}")
    above = Measure(
        "The condition holds while results are greater than this number",
        least=-_MOST_RESULT,
        most=_MOST_RESULT,
        default=None,
        unset="none",
    )
    below = Measure(
        "The condition holds while results are less than this number",
        least=-_MOST_RESULT,
        most=_MOST_RESULT,
        default=None,
        unset="none",
    )
    hysteresis = Measure(
        "How far a result must be on the other side of `above` or `below` before the condition is over",
        least=0,
        most=_MOST_RESULT,
        default=0.0,
    )
    minimum_minutes = Number(
        "How many minutes the condition must hold until it is reported, and be over until the request is closed",
        least=0,
        most=1_440,
        default=0,
    )
    silent_minutes = Number(
        "The condition holds if the sensor has sent nothing for this many minutes; with `0`, the rule is not about"
        " silence",
        least=0,
        most=525_600,
        default=0,
    )
    cool_down_minutes = Number(
        "For how many minutes after a request was closed no new one is made. If the condition begins again in this"
        " time, the request is opened again, unless a person has closed it",
        least=1,
        most=525_600,
        default=60,
    )
    attributes = ByCode(
        Texts(default=()), 'The answers to questions of the service, such as `{ KIND = ["water"] }`'
    )
    outcome = Choice(
        Outcome,
        "The outcome with which the request is closed when the condition is over, if nobody has taken up the"
        " request",
        default=Outcome.NOT_FOUND,
    )
    recovered = SensorSentence(
        "What the public reads when the request is closed; it may hold the same names as `description`",
        default="",
        unset="the text for the outcome",
    )


class SensorTable(Table):
    """A sensor: one datastream of a thing that reports by itself."""

    makes, header, noun, known_by = Sensor, "[[sensors]]", "sensor", "datastream"

    datastream = Text(
        "The id with which observations name it, `@iot.id` of its Datastream: letters, digits and `-._~:/`"
    )
    thing = Text("The id of the thing, which keys of sensors name. A thing can have several sensors")
    lat = Measure("Where the thing is: latitude in degrees, WGS 84", least=-90, most=90)
    long = Measure("Where the thing is: longitude in degrees, WGS 84", least=-180, most=180)
    rules = Texts("Codes of the rules that look at its observations", default=())
    name = Text("What people call the thing", default="", unset="`thing`")
    address = Text("The address of the thing, for the request", default="")
    unit = Text("The unit of the results, such as `cm`", default="")


class JurisdictionTable(Table):
    """The file `jurisdiction.toml`."""

    header = "jurisdiction.toml"

    id = LowerCase(
        "The `jurisdiction_id`: usually the city's web domain without `www.`; it is stored in lower case"
    )
    name = Text("The city's name")
    time_zone = Text("IANA time zone, such as `Europe/Helsinki`; for hours, days, and times that name no zone")
    triage = Text("Code of the department that gets a request if no route and no service decides")
    languages = Texts("BCP 47 tags of the languages; the first is the language of this file", default=("en",))
    contact = Text("The person or office to ask; discovery shows this text", default="")
    credit = Text("The sources of the catalogue's facts", default="")
    outside = Choice(
        ("refuse", "flag"),
        "For a point outside the boundary: `refuse` answers a POST with 400, `flag` stores and marks the request",
        default="flag",
    )
    states = Tables(StateTable(), "Your names for the states of requests, and states of your own, see below")
    texts = Tables(CitizenTextTable(), "What citizens read when staff change a request without a note, see below")
    comments = Choice(
        ("public", "staff"),
        "Who can read comments from outside, which arrive with request updates",
        default="staff",
    )
    photos = Choice(
        PhotoRule,
        "Who can see the photos of public requests: `public`, `held` or `private`, see `photos` of a service. A"
        " change of this key counts only for photos that are prepared after the change",
        default=PhotoRule.PUBLIC,
    )
    copy_photos = Flag(
        "Whether the worker keeps copies of the photos of new reports that another server has, see below",
        default=False,
    )
    unknown_attributes = Choice(
        ("ignore", "keep"),
        "For an attribute of a POST, or of a column map, that the service does not ask for: `ignore` drops it,"
        " `keep` stores it for staff. It is never public and is erased with the answers",
        default="ignore",
    )
    exclude_areas = Texts(
        "Names of features in `areas.geojson` that lie in the boundary and do not belong to the city", default=()
    )
    due_soon_hours = Number(
        "How many hours before its due date an open request counts as due soon", least=0, most=8_784, default=24
    )
    id_pattern = Text(
        "Pattern of the ids of new requests, with `{number}`, `{year}`, `{yy}`; `{number:08}` adds leading zeros."
        " The other characters may be letters, digits, `-` and `_`",
        default="{number}",
    )
    area_name = Text(
        "The name of each area of `areas.geojson`, with properties of its feature in braces, such as `Ward {ward}`",
        default="{name}",
    )
    aliases = ByCode(Text(), '`"retired code" = "current code"`, for apps that still send the retired one')
    duplicates = OneTable(
        VicinityTable(),
        "Limits for possible duplicates, see below",
        default=USUAL,
        unset=f"{USUAL.radius_m:.0f} m, {USUAL.days} days",
    )
    privacy = OneTable(
        PrivacyTable(),
        "What happens to personal data in public texts, see below",
        default=Privacy(),
        unset="all kinds but licence plates are masked",
    )
    retention = OneTable(
        RetentionTable(),
        "How long personal data and photos are kept, see below",
        default=Retention(),
        unset="for ever",
    )
    calendar = OneTable(
        CalendarTable(), "The days and hours at which the city works, see below", default=None, unset="none"
    )
    abuse = OneTable(
        AbuseTable(),
        "What makes reports and updates suspected, see below",
        default=AbuseRules(),
        unset="no rules",
    )
    emergency = OneTable(
        EmergencyTable(), "The number to call in an emergency, see below", default=Emergency(), unset="none"
    )
    mail = OneTable(
        MailTable(), "Mail to reporters, followers and departments, see below", default=MailRules(), unset="none"
    )
    sms = OneTable(
        SmsTable(), "Text messages to reporters who ask for them, see below", default=SmsRules(), unset="none"
    )
    overrides = Flag(
        "Whether admins may change texts and questions on the pages for staff, see below. What they change is in"
        " the database and counts instead of the files",
        default=False,
    )
    departments = Tables(DepartmentTable(), "The departments that do the work, see below")
    services = Tables(ServiceTable(), "The kinds of request that citizens can send, see below; at least one")
    routes = Tables(RouteTable(), "Exceptions to the services' own departments, see below", attribute="rules")
    service_levels = Tables(ServiceLevelTable(), "Service levels for some requests of a service, see below")
    synonyms = Tables(SynonymTable(), "Words of people here that mean the same as words of the services, see below")
    layers = Tables(LayerTable(), "The assets of the city whose ids can be answers, see below")
    sensors = Tables(SensorTable(), "The sensors that report by themselves, see below")
    sensor_rules = Tables(SensorRuleTable(), "What sensors report, and how, see below")


class AttributeTextsTable(Table):
    """A question's texts in another language."""

    makes, header, noun = AttributeTranslation, '[services."CODE".attributes."CODE"]', "attribute"

    description = Text("The question", default="", unset=FALLBACK)
    datatype_description = Text("A hint how to write the answer", default="", unset=FALLBACK)
    values = ByCode(Text(), 'The translated names by key, as in `key = "name"`; keys are not translated')


class ServiceTextsTable(Table):
    """A service's texts in another language."""

    makes, header, noun = ServiceTranslation, '[services."CODE"]', "service"

    name = Text("The `service_name`", default="", unset=FALLBACK)
    description = Text("One or two sentences for citizens", default="", unset=FALLBACK)
    notice = Text("The `service_notice` in the answer to a POST", default="", unset=FALLBACK)
    keywords = Texts("Other words for the service", default=(), unset=FALLBACK)
    attributes = ByCode(OneTable(AttributeTextsTable()), "The attributes' texts by the attribute's code, see below")


class SensorTextsTable(Table):
    """The texts of a rule for sensors in another language. A request has these below the first language's texts."""

    makes, header, noun = SensorTexts, '[sensor_rules."CODE"]', "sensor rule"

    description = SensorSentence("The description of the request", default="", unset="left out")
    recovered = SensorSentence("What the public reads when the request is closed", default="", unset="left out")


class LanguageTable(Table):
    """A file `languages/*.toml`."""

    makes, header = Translation, "languages/*.toml"

    emergency_words = Texts("Words that sound like an emergency, see `[emergency]`", default=())
    synonyms = Tables(SynonymTable(), "Words of this language that mean the same as words of the services")
    texts = Tables(CitizenTextTable(), "What citizens read when staff change a request without a note")
    groups = ByCode(Text(), 'The translated names of groups, as in `"Streets" = "Calles"`')
    services = ByCode(OneTable(ServiceTextsTable()), "The services' texts by the service's code, see below")
    words = ByCode(
        Text(), 'Topics of articles and texts of `days.toml`, by the original words, as in `"Rubbish" = "Basura"`'
    )
    sensor_rules = ByCode(
        OneTable(SensorTextsTable()), "The texts of rules for sensors by the rule's code, see below"
    )


FORM = JurisdictionTable()
LANGUAGE = LanguageTable()
