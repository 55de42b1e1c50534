"""The keys of a city's files: each with its kind, its default and what it means.

The tables of jurisdictions/README.md are made of this page; `make keys` writes them anew.
"""

from __future__ import annotations

from typing import Any

from open311.domain.routing import Rule
from open311.domain.services import (
    Attribute,
    AttributeTranslation,
    Datatype,
    Department,
    Service,
    ServiceTranslation,
    ServiceType,
    Translation,
    Value,
    Vicinity,
)
from open311.plugins.declared.keys import (
    ByCode,
    Choice,
    Flag,
    LowerCase,
    Number,
    OneTable,
    Table,
    Tables,
    Text,
    Texts,
    shown,
)
from schemas.limits import MAX_VICINITY_DAYS, MAX_VICINITY_M

USUAL = Vicinity()
FALLBACK = "the first language's"


class DepartmentTable(Table):
    """Who does the work."""

    makes, header, noun = Department, "[[departments]]", "department"

    code = Text("Our name for it, used by `department` and `triage`")
    name = Text("Public: it is what `agency_responsible` says")


class VicinityTable(Table):
    """Where to look for duplicates."""

    makes, header = Vicinity, "[duplicates] or [services.duplicates]"

    radius_m = Number(
        f"Metres, at most {MAX_VICINITY_M}; `0` switches it off",
        least=0,
        most=MAX_VICINITY_M,
        default=int(USUAL.radius_m),
    )
    days = Number(
        f"How many days back, at most {MAX_VICINITY_DAYS}", least=1, most=MAX_VICINITY_DAYS, default=USUAL.days
    )


class ValueTable(Table):
    """One choice of a list; a bare string is key and name at once."""

    makes, header, noun, known_by = Value, "{ key = …, name = … }", "value", "key"

    key = Text("What is sent and stored; also whole numbers stand in quotes")
    name = Text("What is shown")

    def misfit(self, value: object) -> str:
        """The message about what is neither of the two."""
        return f"must be a string or a table ({self.header}), not {shown(value)}."


class Values(Tables):
    """The choices of a list. A bare string is key and name at once."""

    kind = "a list"

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            value = [{"key": item, "name": item} if isinstance(item, str) else item for item in value]
        return super()._deserialize(value, *args, **kwargs)


class AttributeTable(Table):
    """A question."""

    makes, header, noun = Attribute, "[[services.attributes]]", "attribute"

    code = Text("Sent as `attribute[CODE]`; no brackets inside")
    description = Text("The question")
    datatype = Choice(
        Datatype,
        "What the answer is: `string` one line, `text` many lines, the two lists one or any number of `values`",
        default=Datatype.STRING,
    )
    required = Flag("Whether a POST without it is refused", default=False)
    variable = Flag("`false`: a note to read, nothing to answer", default=True)
    datatype_description = Text("How to answer", default="")
    public = Flag(
        "Whether everybody may see the answers (`extensions=attributes`); never for what may name a person",
        default=None,
        unset="lists yes, free text no",
    )
    values = Values(ValueTable(), 'For the two lists: `{ key = "brick", name = "Brick" }`, or `"brick"` for both')


class ServiceTable(Table):
    """What citizens can ask for."""

    makes, header, noun = Service, "[[services]]", "service"

    code = Text(
        "The `service_code`: opaque, case counts, may hold `:`, `/`, `&`, blanks, leading zeros."
        " Never change one; retire it with an alias"
    )
    name = Text("The `service_name`")
    description = Text("One or two sentences for citizens", default="")
    group = Text("A heading that apps show services under", default="")
    keywords = Texts("Other words for it, old names too", default=())
    type = Choice(
        ServiceType,
        "A POST is answered with an id, with a token, or with the notice alone",
        default=ServiceType.REALTIME,
    )
    department = Text('Code of the department that does it; `""` means triage', default="")
    notice = Text("The `service_notice` in the answer to a POST", default="")
    duplicates = OneTable(VicinityTable(), "This service's own, see below", default=None, unset="the city's")
    attributes = Tables(AttributeTable(), "Questions, in the order in which they are asked")


class RouteTable(Table):
    """An exception from the services' own departments."""

    makes, header, noun = Rule, "[[routes]]", "route"

    department = Text("Who gets the request when everything named here fits")
    service = Text('A service\'s code; `""` for any', default="")
    answers = ByCode(
        Texts(default=()),
        '`{ SURFACE = ["metal", "001"] }`: any of the values fits; several attributes must all fit',
    )
    area = Text("The name of a feature in `areas.geojson`; a request without coordinates is in none", default="")

    def title(self, table: object, number: int) -> str:
        """Routes have no code: their number, and where they lead."""
        department = table.get("department") if isinstance(table, dict) else None
        return f"route no. {number}" + (f" to {department}" if isinstance(department, str) else "")


class JurisdictionTable(Table):
    """`jurisdiction.toml`, whole."""

    header = "jurisdiction.toml"

    id = LowerCase(
        "The `jurisdiction_id` on the wire: usually the web domain, without `www.`; stored in lower case"
    )
    name = Text("The city's name")
    time_zone = Text("IANA zone, such as `Europe/Helsinki`: read into dates that come without one")
    triage = Text("Code of the department that gets what no rule fits")
    languages = Texts("BCP 47 tags; the language of this file first", default=("en",))
    contact = Text("Whom to ask, shown in discovery", default="")
    credit = Text("Where the catalogue's facts come from", default="")
    outside = Choice(
        ("refuse", "flag"), "A point outside the boundary: answered with 400, or taken and marked", default="flag"
    )
    id_pattern = Text(
        "Form of the ids given out: `{number}`, `{year}`, `{yy}`, with zeros as in `{number:08}`;"
        " else letters, digits, `-`, `_`",
        default="{number}",
    )
    aliases = ByCode(Text(), '`"retired code" = "living code"`: what apps of years past still send')
    duplicates = OneTable(
        VicinityTable(),
        "Where a new request may be about the same thing as an earlier one, see below",
        default=USUAL,
        unset=f"{USUAL.radius_m:.0f} m, {USUAL.days} days",
    )
    departments = Tables(DepartmentTable(), "Who does the work, see below")
    services = Tables(ServiceTable(), "What citizens can ask for, see below; at least one")
    routes = Tables(RouteTable(), "Exceptions from the services' own departments, see below", attribute="rules")


class AttributeTextsTable(Table):
    """A question's texts in another language."""

    makes, header, noun = AttributeTranslation, '[services."CODE".attributes."CODE"]', "attribute"

    description = Text("The question", default="", unset=FALLBACK)
    datatype_description = Text("How to answer", default="", unset=FALLBACK)
    values = ByCode(Text(), '`key = "name"`: keys stay, names are translated')


class ServiceTextsTable(Table):
    """A service's texts in another language."""

    makes, header, noun = ServiceTranslation, '[services."CODE"]', "service"

    name = Text("The `service_name`", default="", unset=FALLBACK)
    description = Text("One or two sentences for citizens", default="", unset=FALLBACK)
    notice = Text("The `service_notice` in the answer to a POST", default="", unset=FALLBACK)
    keywords = Texts("Other words for it", default=(), unset=FALLBACK)
    attributes = ByCode(OneTable(AttributeTextsTable()), "By the attribute's code, see below")


class LanguageTable(Table):
    """`languages/*.toml`, whole."""

    makes, header = Translation, "languages/*.toml"

    groups = ByCode(Text(), '`"Streets" = "Calles"`: the headings')
    services = ByCode(OneTable(ServiceTextsTable()), "By the service's code, see below")


FORM = JurisdictionTable()
LANGUAGE = LanguageTable()
