"""The form for a report: its steps, its questions, and what is wrong with what was typed.

The browser sends everything that was typed with each step, so the server keeps nothing before the report is sent.
Each step has its own address, which has what was typed, encrypted (decision 0043). Contact fields are never in an
address.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from open311.domain.attributes import tidy
from open311.domain.forms import first_unmet
from open311.domain.people import number_for_sms
from open311.domain.requests import Reporter
from open311.domain.services import Attribute, Datatype, Service
from open311.errors import Problem
from open311.operations.access.sealing import seal, unseal
from open311.operations.mailing.rules import mails_reporters
from open311.operations.sms.rules import texts_reporters
from open311.operations.suggesting.suggest import suggest
from open311.web.answers import READING
from open311.web.calls import Call, Values
from open311.web.languages import in_languages
from open311.web.portal.maps import CLOSER, SIZE, MapView, whole_city
from open311.web.portal.rendering import Frame
from open311.web.portal.wording import for_people, needs_label
from open311.web.submissions import emergency_notice
from schemas.limits import MAX_SENTENCE_CHARACTERS
from schemas.portal import ReportArguments
from schemas.texts import Message, tell

STEPS = ("details", "place", "check")
MOVES: Mapping[str, tuple[float, float, int]] = {
    "north": (0, -0.5, 0),
    "south": (0, 0.5, 0),
    "west": (-0.5, 0, 0),
    "east": (0.5, 0, 0),
    "in": (0, 0, 1),
    "out": (0, 0, -1),
}
"""The buttons of the map: how far they move it right and down, in parts of the picture, and by how many zooms."""
SHOW, MIDDLE = "show", "middle"
"""The buttons that show the point that was typed, and that select the middle of the picture."""
CONTACT = ("first_name", "last_name", "email", "phone")
FIELDS = ("description", "address_string", "lat", "long", *CONTACT)
_OF_PLACE = ("lat", "long", "address_string")
_OF_DETAILS = ("description",)
_MAP = ("map_lat", "map_long", "map_zoom")
_KEPT = ("description", *_OF_PLACE, *_MAP, "attributes")
"""The parameters that the address of a step has in its sealed part."""
NOTICES: Mapping[str, Message] = {
    "by_key": tell(
        "To choose a place with the keyboard, move the map with the buttons, then press “Use the middle”."
    ),
    "photos": tell("Please choose your photos again in step 3. A browser does not keep them."),
    "old": tell("What you typed was kept for a day and is gone now. Please type it again."),
}
"""What a step can tell the reader though nothing is wrong."""
HONEYPOT = "website"
"""The field that people do not see, for cities that have not named one."""
_MOST_RADIOS = 8
"""A list of more values is shown as a box to select from."""
_FORM_ID_BYTES = 16
_FORM_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
"""The form of the ids that `secrets.token_urlsafe` makes from `_FORM_ID_BYTES` bytes.

No other text is accepted as the id of a form.
"""
_COMMA = re.compile(r"-?\d+,\d+", re.ASCII)
_THOUSANDS = re.compile(r"-?\d{1,3},\d{3}", re.ASCII)


@dataclass(frozen=True)
class Question:
    """A question of the form.

    id    the id of the question's field in the page
    sent  the values that were sent, or the default
    """

    attribute: Attribute
    id: str
    sent: tuple[str, ...]
    fault: Message | None = None

    @property
    def name(self) -> str:
        """The name of its field."""
        return f"attribute[{self.attribute.code}]"

    @property
    def described_by(self) -> str:
        """The ids of the texts beside its field."""
        hint = f"{self.id}-hint" if self.attribute.datatype_description else ""
        return f"{hint} {self.id}-fault".strip() if self.fault is not None else hint

    @property
    def kind(self) -> str:
        """Which kind of field it has."""
        datatype = self.attribute.datatype
        if datatype == "singlevaluelist" and len(self.attribute.values) > _MOST_RADIOS:
            return "select"
        return str(datatype)


class ReportForm:
    """The form of one call.

    service  the service, in the reader's language
    faults   what is wrong, by the name of the field
    notices  what the reader is told though nothing is wrong
    """

    def __init__(self, call: Call, frame: Frame, service: Service) -> None:
        self.call = call
        self.frame = frame
        [self.service] = in_languages([service], call.city, frame.catalogue_languages)
        self.faults: dict[str, Message] = {}
        self._answer_faults: dict[str, Message] = {}
        self.notices: list[Message] = []
        self.point: tuple[str, str] | None = None
        self._view: MapView | None = None
        self._form_id = self._sent_form_id()
        if call.values["told"] in NOTICES and not self._is_sent:
            self.notices.append(NOTICES[call.values["told"]])

    @property
    def is_mailed(self) -> bool:
        """Whether the city sends mail to reporters who write their address."""
        return mails_reporters(self.call.platform.settings, self.call.city)

    @property
    def is_texted(self) -> bool:
        """Whether the city sends text messages to reporters who ask for them."""
        return texts_reporters(self.call.platform.settings, self.call.city)

    # --- What was sent

    @property
    def wants_sms(self) -> bool:
        """Whether the reader asks for text messages. As with contact fields, no address can ask for them."""
        return self._is_sent and bool(self.call.values["sms"])

    @property
    def _is_sent(self) -> bool:
        """Whether the reader has sent a form, and not only opened an address."""
        return self.call.request.method == "POST"

    def _sent_form_id(self) -> str:
        """The id that was sent with the form; "" if none was sent, or one that this server cannot have made.

        The id is never taken from an address. Two people who open the same link have two forms.
        """
        found = self.value("form_id") if self._is_sent and "form_id" not in self.call.request.args else ""
        return found if _FORM_ID.fullmatch(found) else ""

    def value(self, name: str) -> str:
        """What was sent for a field, or the point that was clicked. An address never fills in contact fields.

        A contact field has one line.
        """
        if name in CONTACT and not self._is_sent:
            return ""
        if self.point is not None and name in ("long", "lat"):
            return self.point[0 if name == "long" else 1]
        value = self.call.values[name]
        text = value if isinstance(value, str) else ""
        if name in CONTACT:
            return " ".join(text.split())
        return with_point(text) if name in ("long", "lat") else text

    @property
    def reporter(self) -> Reporter:
        """How the city can reach the reader. Nothing else is known of somebody who sends a form."""
        return Reporter(**{name: self.value(name) for name in CONTACT})

    def contact_problems(self) -> Iterator[Problem]:
        """What is wrong with the contact fields. The API is less strict, because apps may send other addresses."""
        email = self.value("email")
        if email and ("@" not in email or " " in email):
            yield Problem("email", tell("is not an email address; correct it or leave it out."))
        city, phone = self.call.city, self.value("phone")
        if self.wants_sms and not number_for_sms(phone, city.privacy.phone_region, abroad=city.sms.abroad):
            fault = tell(
                "is not a number to which a text message can be sent; correct it, or do not ask for text messages."
            )
            yield Problem("phone", fault)

    @cached_property
    def _sent(self) -> Mapping[str, tuple[str, ...]]:
        return {code: tuple(filter(None, map(tidy, values))) for code, values in self.attributes}

    @cached_property
    def attributes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The code of each question with the answers that were sent. A number may have a decimal comma.

        Where a comma separates thousands, 1,500 is refused, because nobody knows whether it means 1.5 or 1500.
        """
        numbers = {one.code for one in self.service.attributes if one.datatype is Datatype.NUMBER}
        is_ambiguous = self.frame.thousands_separator == ","
        return tuple(
            (code, tuple(map(partial(_number, is_ambiguous), values)) if code in numbers else values)
            for code, values in self.call.values["attributes"]
        )

    @property
    def suggestion(self) -> tuple[str, ...]:
        """Codes of the services that were suggested to the reader before the form, the best first."""
        return self.call.values["suggestion"] or ()

    @property
    def form_id(self) -> str:
        """The id of the form, which all its steps have."""
        if not self._form_id:
            self._form_id = secrets.token_urlsafe(_FORM_ID_BYTES)
        return self._form_id

    def renew(self) -> None:
        """Give the form another id, so that it can be sent as another report."""
        self._form_id = ""

    @property
    def honeypot(self) -> str:
        """The name of the field that people do not see."""
        return self.call.city.abuse.honeypot or HONEYPOT

    # --- Questions

    @property
    def questions(self) -> list[Question]:
        """The questions that are asked, in the order of the service. The answers that were sent decide which."""
        found: list[Question] = []
        answered: dict[str, tuple[str, ...]] = {}
        for number, attribute in enumerate(self.service.attributes, start=1):
            if first_unmet(attribute.only_if, answered) is not None:
                continue
            values = self._sent.get(attribute.code) or attribute.default
            answered[attribute.code] = values
            if attribute.is_shown:
                fault = self._answer_faults.get(attribute.code)
                found.append(Question(attribute, f"question-{number}", values, fault))
        return found

    @property
    def has_required(self) -> bool:
        """Whether a question must be answered."""
        return any(one.attribute.required for one in self.questions)

    @property
    def first_new_question(self) -> str:
        """The id of the first question that was not in the form before; "" if there is none."""
        new = (one for one in self.questions if one.attribute.variable and one.attribute.code not in self._sent)
        return next((one.id for one in new), "")

    @property
    def answers(self) -> Iterator[tuple[str, str]]:
        """Question and answer, as the reader sees them again before sending."""
        for question in self.questions:
            names = {value.key: value.name for value in question.attribute.values}
            if question.sent and question.attribute.variable:
                yield question.attribute.description, ", ".join(names.get(one, one) for one in question.sent)

    @property
    def emergency(self) -> Message | None:
        """What the reader is told if the typed text sounds like an emergency; None if it does not."""
        typed = (self.value("description"), *(value for values in self._sent.values() for value in values))
        number = self.call.city.emergency_number(typed)
        return emergency_notice(number) if number else None

    @cached_property
    def better(self) -> tuple[Service, ...]:
        """Services that fit the description, in the reader's language; none if the chosen service is among them."""
        call, words = self.call, self.value("description")[:MAX_SENTENCE_CHARACTERS]
        found = suggest(call.platform, call.city, words, now=call.now) if words else []
        if self.service.code in [one.code for one in found]:
            return ()
        return in_languages(found, call.city, self.frame.catalogue_languages)

    def of_other_service(self, service: Service) -> str:
        """The address of the form for another service, with description and place; "" if `seal` returns ""."""
        kept = {name: [self.value(name)] for name in (*_OF_DETAILS, *_OF_PLACE) if self.value(name)}
        if not (sealed := seal(self.call.platform, kept)):
            return ""
        shown = ",".join(one.code for one in self.better)
        return self.frame.link("report", service_code=service.code, kept=sealed, suggestion=shown)

    # --- Map

    @property
    def is_clicked(self) -> bool:
        """Whether the picture of the map was pressed."""
        return self.call.values["click_x"] is not None and self.call.values["click_y"] is not None

    def click(self) -> bool:
        """Take the point of a click in the map. Returns False if the click has no place.

        If a key presses the picture, the browser sends the corner 0,0. Then the reader keeps the former point.
        """
        x, y = self.call.values["click_x"], self.call.values["click_y"]
        if x == y == 0:
            return False
        long, lat = self.view.point(min(x, SIZE), min(y, SIZE))
        self.point = (f"{long:.6f}", f"{lat:.6f}")
        self._view = MapView(long, lat, max(self.view.zoom + 1, self.near_zoom)).zoomed(0)
        return True

    def move(self, name: str) -> None:
        """Move the map by one of its buttons, or to the point that was typed. MIDDLE selects its middle."""
        right, down, zoom = MOVES.get(name, (0, 0, 0))
        view = self.view
        if name == MIDDLE:
            self.point = (f"{view.long:.6f}", f"{view.lat:.6f}")
        if (zoom > 0 or name == SHOW) and self.pin is not None:
            view = MapView(*self.pin, view.zoom)
        if name == SHOW:
            view = replace(view, zoom=max(view.zoom, self.near_zoom))
        self._view = view.moved(right, down).zoomed(zoom)

    @property
    def view(self) -> MapView:
        """The part of the map that the form shows."""
        if self._view is not None:
            return self._view
        long, lat, zoom = (self.call.values[name] for name in ("map_long", "map_lat", "map_zoom"))
        if long is not None and lat is not None and zoom is not None:
            return MapView(long, lat, zoom)
        whole = whole_city(self.call.city)
        return whole if self.pin is None else MapView(*self.pin, whole.zoom).zoomed(CLOSER)

    @property
    def near_zoom(self) -> int:
        """The zoom that shows the surroundings of a place."""
        return whole_city(self.call.city).zoom + CLOSER

    @property
    def pin(self) -> tuple[float, float] | None:
        """The (long, lat) point of the report; None if there is none, or if it cannot be read."""
        try:
            return float(self.value("long")), float(self.value("lat"))
        except ValueError:
            return None

    def map_address(self, *, is_around_pin: bool = False) -> str:
        """The address of the picture of the map, or of the surroundings of the point."""
        view, pin = self.view, self.pin
        if is_around_pin and pin is not None:
            view = MapView(*pin, self.near_zoom).zoomed(0)
        marked = {"pin_long": str(pin[0]), "pin_lat": str(pin[1])} if pin else {}
        at = {"long": f"{view.long:.6f}", "lat": f"{view.lat:.6f}", "zoom": str(view.zoom)}
        return self.frame.link("map.svg", **at, **marked)

    # --- Between the steps

    @property
    def step(self) -> str:
        """The step that the reader has sent, or that an address names."""
        return self.value("step") if self.value("step") in STEPS else STEPS[0]

    @property
    def has_contact(self) -> bool:
        """Whether the reader has typed into a contact field."""
        return any(map(self.value, CONTACT))

    def kept(self) -> dict[str, list[str]]:
        """What was typed, without the contact fields: the parameters that make the same form again."""
        found = {name: [self.value(name)] for name in (*_OF_DETAILS, *_OF_PLACE) if self.value(name)}
        found |= {name: [value] for name, value in self._place_of_map()}
        return found | {f"attribute[{code}]": list(values) or [""] for code, values in self._sent.items()}

    def address(self, step: str, **query: str) -> str:
        """The address of a step."""
        suggested = ",".join(self.suggestion)
        return self.frame.link("report", service_code=self.service.code, step=step, suggestion=suggested, **query)

    def action(self, step: str) -> str:
        """The address to which a step is sent. A page about a fault can lead back to it.

        It is not the address of the step itself, because a browser drops its copy of a page when it sends a form to
        the address of that page. The copy has the id of the form, so going back and sending again makes no second
        report.
        """
        return self.address(step, kept="" if self._is_sent else self.value("kept"), sent="1")

    def hidden(self, step: str) -> Iterator[tuple[str, str]]:
        """What the form of a step keeps of the other steps: names and values."""
        yield "service_code", self.service.code
        yield "form_id", self.form_id
        yield "step", step
        if self.suggestion:
            yield "suggestion", ",".join(self.suggestion)
        own = {"details": _OF_DETAILS, "place": _OF_PLACE}.get(step, CONTACT)
        for name in FIELDS:
            if name not in own and self.value(name):
                yield name, self.value(name)
        if step != "check" and self.wants_sms:
            yield "sms", "true"
        if step != "details":
            for code, values in self._sent.items():
                yield from ((f"attribute[{code}]", value) for value in values or ("",))
        if step == "place":
            yield from self._place_of_map()

    def _place_of_map(self) -> Iterator[tuple[str, str]]:
        view = self.view
        yield from zip(_MAP, (f"{view.lat:.6f}", f"{view.long:.6f}", str(view.zoom)), strict=True)

    def take(self, problems: Sequence[Problem]) -> None:
        """Store each problem under the question or the field that it belongs to."""
        questions = {one.code: one.description or one.code for one in self.service.attributes}
        for problem in problems:
            values = problem.message.values if isinstance(problem.message, Message) else {}
            code = str(values.get("code"))
            if not problem.field and code in questions and "fault" in values:
                self._answer_faults.setdefault(code, for_people(values["fault"], questions[code]))
            else:
                told = for_people(problem.message)
                is_of_place = problem.field in ("lat", "long") and not needs_label(told)
                self.faults.setdefault("address_string" if is_of_place else problem.field, told)

    def forget_other_steps(self, step: str) -> None:
        """Drop what is wrong with fields of other steps."""
        wanted = {"details": _OF_DETAILS, "place": _OF_PLACE}[step]
        self.faults = {name: fault for name, fault in self.faults.items() if name in wanted}
        if step != "details":
            self._answer_faults = {}

    @property
    def has_faults(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.faults or self._answer_faults)

    @property
    def first_faulty_step(self) -> str:
        """The first step in which something is wrong."""
        if self._answer_faults or set(self.faults) & set(_OF_DETAILS):
            return "details"
        return "place" if set(self.faults) & set(_OF_PLACE) else "check"

    def summary(self) -> Iterator[tuple[str, str, Message]]:
        """What is wrong: the id of the field, its label, and the fault. "" for a label that is not needed."""
        for question in self.questions:
            if question.fault is not None:
                yield (
                    question.id,
                    question.attribute.description if needs_label(question.fault) else "",
                    question.fault,
                )
        for name, fault in self.faults.items():
            known = LABELS.get(name)
            yield (name if known else ""), (known if known and needs_label(fault) else ""), fault


LABELS: Mapping[str, Message] = {
    "description": tell("Description"),
    "address_string": tell("Address, or words that tell where it is"),
    "lat": tell("Latitude"),
    "long": tell("Longitude"),
    "first_name": tell("First name"),
    "last_name": tell("Last name"),
    "email": tell("E-mail address"),
    "phone": tell("Phone number"),
}
"""The labels of the fields that every form has."""


def with_kept(call: Call) -> Call:
    """The call of a step, with what the sealed part of its address has. Raises Unavailable without a database."""
    sealed = call.values["kept"]
    if not sealed or call.request.method not in READING:
        return call
    sent = unseal(call.platform, sealed)
    if sent is None:
        return replace(call, values=Values(call.values | {"told": "old", "checked": "", "step": ""}))
    values, problems = ReportArguments(zone=call.city.zone).read(sent)
    found = {name: values[name] for name in _KEPT}
    faults = tuple(Problem(name, text) for name, text in problems if name in _KEPT)
    return replace(call, values=Values(call.values | found), problems=faults)


def with_point(text: str) -> str:
    """A number with a decimal point, if it has a decimal comma; any other text as it is."""
    return text.replace(",", ".") if _COMMA.fullmatch(text.strip()) else text


def _number(is_ambiguous: bool, text: str) -> str:
    return text if is_ambiguous and _THOUSANDS.fullmatch(text.strip()) else with_point(text)
