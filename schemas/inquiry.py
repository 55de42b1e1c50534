"""Parameters and bodies of Inquiry v1: services, facilities, FAQs, collection days.

The names of the fields are those of Inquiry v1, and so are the attribute `type` of an action and the elements
`category_name` and `feature_name`.
"""

from __future__ import annotations

from marshmallow import fields

from schemas.arguments import JurisdictionArguments
from schemas.base import Body, Degrees, Instant, Items, Named, Text, TextIfAny, XmlAttribute, describe
from schemas.limits import MAX_QUERY_CHARACTERS
from schemas.parameters import LatitudeParameter, LongitudeParameter, NumberParameter, TextParameter
from schemas.texts import tell

EXPIRATION = "When it expires, at midnight of the city; 2099-12-31 if it does not expire."
MOST_FOUND, USUAL_FOUND = 50, 10


class InquiryArguments(JurisdictionArguments):
    """The parameters of a list or an item of Inquiry v1."""

    tells_unknown = True


class AnswerSearchArguments(InquiryArguments):
    """The parameters of a search over services, facilities and FAQs."""

    q = TextParameter(
        "Words to search for.",
        "when is my bin emptied",
        most_characters=MAX_QUERY_CHARACTERS,
        missing=tell("is missing; send the words to search for."),
    )
    page_size = NumberParameter(
        "Items in the answer, at most 50. Also called limit.",
        10,
        least=1,
        cut_to=MOST_FOUND,
        default=USUAL_FOUND,
        aliases=("limit",),
    )


class ZoneArguments(InquiryArguments):
    """The parameters of the list of zones."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Only zones that contain this point; with long.", 60.14)
    long = LongitudeParameter("Only zones that contain this point; with lat.", 24.95)


class CalendarFileArguments(ZoneArguments):
    """The parameters of a calendar for phones."""

    lat = LatitudeParameter("Only the zones that contain this point; with long.", 60.14)
    long = LongitudeParameter("Only the zones that contain this point; with lat.", 24.95)
    # marshmallow takes the field out of the class, so the attribute of Arguments stays
    zone = TextParameter("Only this zone; a name from `zones`.", "Harbour")  # type: ignore[assignment]


class CalendarArguments(CalendarFileArguments):
    """The parameters of the calendar. Its days are those of the city."""

    fromdate = TextParameter("The first day; by default, today. Also called start_date.", "2026-12-20")
    todate = TextParameter(
        "The last day; by default, 13 days after fromdate, at most 89. Also called end_date.", "2027-01-02"
    )


class InquiryServiceItemSchema(Body):
    """A service in a list. A service of Inquiry v1 is information; it need not be a service of GeoReport."""

    xml_root, xml_item = "services", "service"

    id = Text(metadata=describe("Identifies the service.", "bin-size"))
    service_name = Text(attribute="title", metadata=describe("Its name.", "A larger bin"))
    expiration = Instant(metadata=describe(EXPIRATION, "2099-12-31T00:00:00Z"))
    brief_description = Text(attribute="summary", metadata=describe("One sentence about it."))


class WebActionSchema(Body):
    """What a reader can do next."""

    xml_item = "web_action"

    type = XmlAttribute(
        metadata=describe("The type; an attribute in XML.", "Link")
        | {"enum": ["Service Request", "Link", "Literature"]}
    )
    label = Text(metadata=describe("What people read.", "Order a larger bin"))
    url = Text(metadata=describe("The address."))


class InquiryServiceSchema(InquiryServiceItemSchema):
    """A service with all that the city says about it. A list has only the fields up to brief_description."""

    sometimes = ("categories", "url", "description", "description_html", "web_actions")

    categories = Named(name="category_name", metadata=describe("Its topics."))
    url = Text(metadata=describe("Address of its page."))
    description = Text(attribute="plain", metadata=describe("The text without markup."))
    description_html = Text(attribute="html", metadata=describe("The text as HTML, without scripts and pictures."))
    web_actions = fields.List(fields.Nested(WebActionSchema), metadata=describe("What a reader can do next."))


class FacilityItemSchema(Body):
    """A facility in a list."""

    xml_root, xml_item = "facilities", "facility"

    id = Text(metadata=describe("Identifies the facility.", "harbour-library"))
    facility_name = Text(attribute="title", metadata=describe("Its name.", "Harbour Library"))
    expiration = Instant(metadata=describe(EXPIRATION, "2099-12-31T00:00:00Z"))
    type = Text(metadata=describe("Its type, by which lists are filtered.", "Library"))
    brief_description = Text(attribute="summary", metadata=describe("One sentence about it."))


class FacilitySchema(FacilityItemSchema):
    """A facility with all that the city says about it. A list has only the fields up to brief_description."""

    sometimes = (
        *("url", "description", "features", "address", "additional_address_information", "borough", "city"),
        *("state", "zipcode", "displayed_hours", "lat", "long", "eligibility_information"),
    )

    url = Text(metadata=describe("Address of its page (extension)."))
    description = Text(attribute="plain", metadata=describe("The text without markup."))
    features = Named(name="feature_name", metadata=describe("What it has.", None))
    address = Text(metadata=describe("The street address.", "1 Quay Street"))
    additional_address_information = Text(attribute="address_note", metadata=describe("How to find it."))
    borough = Text(metadata=describe("The part of the city."))
    city = Text(metadata=describe("The city."))
    state = Text(metadata=describe("The state."))
    zipcode = Text(metadata=describe("The postal code."))
    displayed_hours = Text(attribute="hours", metadata=describe("When it is open, in words."))
    lat = Degrees(metadata=describe("Latitude, WGS 84; null if it is not known.", 60.1501))
    long = Degrees(metadata=describe("Longitude, WGS 84; null if it is not known.", 24.9502))
    eligibility_information = Text(attribute="eligibility", metadata=describe("Who can use it."))


class FaqItemSchema(Body):
    """A question in a list."""

    xml_root, xml_item = "faqs", "faq"

    id = Text(metadata=describe("Identifies the question.", "bin-not-emptied"))
    question = Text(attribute="title", metadata=describe("The question.", "Why was my bin not emptied?"))
    expiration = Instant(metadata=describe(EXPIRATION, "2099-12-31T00:00:00Z"))


class RelatedServiceSchema(Body):
    """A service that belongs to a question."""

    xml_item = "service"

    id = Text(metadata=describe("Identifies the service.", "bin-size"))
    service_name = Text(attribute="title", metadata=describe("Its name.", "A larger bin"))
    expiration = Instant(metadata=describe(EXPIRATION, "2099-12-31T00:00:00Z"))


class FaqSchema(FaqItemSchema):
    """A question with its answer. A list has only the fields up to expiration."""

    sometimes = ("url", "answer", "answer_html", "categories", "services")

    url = Text(metadata=describe("Address of its page."))
    answer = Text(attribute="plain", metadata=describe("The answer without markup."))
    answer_html = Text(attribute="html", metadata=describe("The answer as HTML, without scripts and pictures."))
    categories = Named(name="category_name", metadata=describe("Its topics."))
    services = fields.List(fields.Nested(RelatedServiceSchema), metadata=describe("Services that belong to it."))


class FoundArticleSchema(Body):
    """An article that fits the words of a search."""

    xml_root, xml_item = "results", "result"

    type = Text(metadata=describe("service, facility or faq.", "faq") | {"enum": ["service", "facility", "faq"]})
    id = Text(metadata=describe("Identifies it among the items of its type.", "bin-not-emptied"))
    title = Text(metadata=describe("Its name, or the question.", "Why was my bin not emptied?"))
    brief_description = Text(attribute="summary", metadata=describe("One sentence about it."))
    topics = Items(
        fields.String(), xml_item="topic", metadata=describe("Its categories, or the type of a facility.")
    )
    expiration = Instant(metadata=describe(EXPIRATION, "2099-12-31T00:00:00Z"))
    url = Text(metadata=describe("Address of its page."))
    api_url = Text(metadata=describe("Address of all its fields, in the format of this answer."))


class ZoneSchema(Body):
    """A zone with collections of its own."""

    xml_root, xml_item = "zones", "zone"

    name = Text(metadata=describe("The value for `zone`; the name of an area of `areas`.", "Harbour"))
    collections = Items(
        fields.String(), xml_item="collection", metadata=describe("What is collected there, as names.")
    )
    calendar_url = Text(metadata=describe("Address of its calendar for phones (iCalendar)."))


class DayItemSchema(Body):
    """What happens to a collection or a line on a day."""

    xml_item = "item"

    code = Text(metadata=describe("The city's code for it.", "refuse"))
    type = Text(attribute="name", metadata=describe("What it is about.", "Household waste"))
    status = Text(
        metadata=describe("What happens.", "collected")
        | {"enum": ["collected", "moved", "cancelled", "usual", "changed"]}
    )
    details = Text(metadata=describe("The same in words.", "Instead of 2026-12-25 (Christmas Day)."))
    zone = TextIfAny(
        metadata=describe("The zone of a collection; absent if it comes to the whole city.", "Harbour")
    )
    usual_date = TextIfAny(metadata=describe("The usual day of a collection.", "2026-12-25"))
    actual_date = TextIfAny(metadata=describe("The day on which the collection comes.", "2026-12-28"))


class DaySchema(Body):
    """A day of the city."""

    xml_root, xml_item = "days", "day"

    date = Text(metadata=describe("The day, in the city.", "2026-12-25"))
    holiday = Text(metadata=describe("The name of the holiday; empty for another day.", "Christmas Day"))
    items = fields.List(fields.Nested(DayItemSchema), metadata=describe("What happens on it."))
