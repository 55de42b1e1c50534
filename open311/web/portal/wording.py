"""Faults in sentences for people. The API's texts are for programmers: they name parameters and how to send them.

The template of the API's text identifies the kind of fault. `SENTENCES` has a sentence for each kind that a person
can cause on the pages. For any other kind, the API's text is shown. But faults in parameters without a field in the
page become one general sentence, and so do warnings about parameters that have no effect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from open311.domain.search import TOO_LONG
from open311.errors import Problem
from open311.operations.workflow.supporting import CLOSED, HIDDEN_PARENT, MERGED_NOW
from schemas.texts import Message, tell

Sentence = Callable[[Mapping[str, Any]], Message]
"""A function that makes the sentence from the values of the API's text."""

_UNREADABLE = tell("A filter in the address of this page cannot be read. Please choose the filters again.")
_UNREADABLE_FORM = tell("This form cannot be read. Please open the page again, and use one of its buttons.")
_WITHOUT_EFFECT = tell("The address of this page has filters that change nothing here.")
_OF_WHOLE_PAGES = ("", "jurisdiction_id", "service_code", "service_request_id")
"""The fields that decide which page is shown. All others are filters."""


def _answer(of: Mapping[str, Any]) -> Message:
    return tell("Please answer: {question}", question=of["question"])


def _no_place(of: Mapping[str, Any]) -> Message:  # noqa: ARG001
    return tell("Please choose the place on the map, or type an address.")


def _half_place(of: Mapping[str, Any]) -> Message:  # noqa: ARG001
    return tell("Please fill in both latitude and longitude, or choose the place on the map.")


def _outside(of: Mapping[str, Any]) -> Message:
    return tell("This place is outside {city}. Please choose a place in {city}.", city=of["city"])


def _not_offered(of: Mapping[str, Any]) -> Message:
    return tell(
        "“{name}” cannot be reported at this place. Please choose another place or another kind of problem.",
        name=of["name"],
    )


_WHOLE = (_answer, _no_place, _half_place, _outside, _not_offered)
"""The sentences that can be understood without the label of a field."""


def _always(sentence: Message) -> Sentence:
    return lambda of: sentence  # noqa: ARG005


_CHOOSE = _always(tell("Please choose one of the answers."))
_CHOOSE_FILTER = _always(tell("This choice does not exist. Please choose another one."))
_A_DATE = _always(tell("Please choose a date, such as 2026-03-01."))
_NOT_SERVED = _always(tell("This server has no pages for such a city."))
_NO_SUCH_KIND = _always(tell("The city does not take this kind of report. Please choose another one."))
_WRONG_WAY = _always(tell("This page cannot be opened like that. Please begin at the first page."))

SENTENCES: Mapping[str, Sentence] = {
    # answers
    "required; answer it as attribute[{code}]": _answer,
    "takes one value, but {count} were sent": _always(tell("Please give only one answer.")),
    "is longer than {most} characters; shorten it": lambda of: tell(
        "Please shorten this answer to {most} characters.", most=of["most"]
    ),
    "must be a single line; send the text without line breaks": _always(tell("Please write this in one line.")),
    "{value!r} is not a number; send digits with a decimal point, such as 1.5": lambda of: tell(
        "“{value}” is not a number. Please write a number such as 2 or 1.5.", value=of["value"]
    ),
    "{value!r} is not a date and time; {form}": _always(tell("Please choose a date and a time.")),
    "has no key {value!r}; send one of: {keys}": _CHOOSE,
    "{fault}; send one that is near the point: {ids}": lambda of: tell(
        "This is not near the place. Near the place are: {ids}.", ids=of["ids"]
    ),
    "{fault}; correct it or leave it out": _always(
        tell("The city does not know this number at this place. Please correct it, or leave it empty.")
    ),
    # place
    "the location is missing; send lat and long, address_string or address_id.": _no_place,
    "is missing; send lat and long together.": _half_place,
    "{value!r} is not a number; send decimal degrees with a point, such as 41.8781.": lambda of: tell(
        "“{value}” is not a number. Please write degrees such as 41.8781.", value=of["value"]
    ),
    "{value} is outside -{limit:g}..{limit:g}; send WGS 84 degrees.": lambda of: tell(
        "Please write a number from -{limit:g} to {limit:g}.", limit=of["limit"]
    ),
    "the point lies outside {city}; report it to the city of that point.": _outside,
    "the service {name!r} is not offered at this point; send another service_code or another point.": _not_offered,
    # other fields
    "has {count} characters; {most} are allowed.": lambda of: tell(
        "This has {count} characters. Please shorten it to {most}.", count=of["count"], most=of["most"]
    ),
    "is not an email address; correct it or leave it out.": _always(
        tell("Please write an e-mail address such as name@example.org, or leave it empty.")
    ),
    "holds a NUL character; leave it out.": _always(
        tell("This has a character that cannot be stored. Please write it again.")
    ),
    # filters
    "{value!r} is not a date and time; {form}.": _A_DATE,
    TOO_LONG.template: _always(
        tell("The list shows at most 90 days. Please choose dates that are nearer to each other.")
    ),
    "is after end_date; swap them.": _always(tell("The first day is after the last day. Please swap them.")),
    "{value!r} is unknown; send {known} or both.": _CHOOSE_FILTER,
    "{value!r} is unknown; send one or more of {known}.": _CHOOSE_FILTER,
    "{value!r} is unknown; send one of {known}.": _CHOOSE_FILTER,
    "{value!r} is neither true nor false.": _CHOOSE_FILTER,
    "takes one value, but {count} were sent.": _always(tell("Please choose only one.")),
    "holds {count} {unit}; {most} are allowed.": lambda of: tell(
        "These are {count}. Please choose at most {most}.", count=of["count"], most=of["most"]
    ),
    "is not a cursor from a Link header; start again without it.": _always(
        tell("This part of the list does not exist. Please begin at its first page.")
    ),
    "belongs to another order or other dates; start again without it.": _always(
        tell("The filters have changed. Please begin at the first page of the list.")
    ),
    # notices about a list
    "{why}: this list ends at {end}; go on with start_date={end}": lambda of: tell(
        "This list shows 90 days and ends on {day}. Choose later dates to see more.", day=of["end"][:10]
    ),
    "{name} is cut to {most}": lambda of: tell("A page shows at most {most} reports.", most=of["most"]),
    "only the first {most} characters of {name} count": lambda of: tell(
        "Only the first {most} characters of your words count.", most=of["most"]
    ),
    # whole pages
    "{id!r} is not a request here.": _always(tell("There is no public report with this number.")),
    CLOSED.template: _always(
        tell("The city has closed this report. If the problem is there again, please send a new report.")
    ),
    HIDDEN_PARENT.template: _always(
        tell("The city handles this report together with another one, which is not public.")
    ),
    MERGED_NOW.template: _always(tell("The city has just changed this report. Please try again.")),
    "{value!r} is not served here; send one of {known}.": _NOT_SERVED,
    "is missing; send one of {known}.": _NOT_SERVED,
    "is missing; send one from the service list.": _always(
        tell("Please choose what you want to report at the first page.")
    ),
    "{code!r} is not in the service list of {city}.": _NO_SUCH_KIND,
    "{code!r} is replaced. {cure}": _NO_SUCH_KIND,
    "{code!r} is not offered any more. {cure}": _NO_SUCH_KIND,
    "{code!r} is only for staff of the city. {cure}": _NO_SUCH_KIND,
    "{code!r} can be reported from {season} only.": lambda of: tell(
        "This kind of problem can be reported from {season} only.", season=of["season"]
    ),
    "There is nothing at this address; see the API page at /docs.": _always(
        tell("There is nothing at this address.")
    ),
    "This method is not allowed here; send {methods}.": _WRONG_WAY,
    "This method is not allowed here.": _WRONG_WAY,
    "The body did not arrive in time; send the call again.": _always(
        tell("What you sent did not arrive completely. Please send it again.")
    ),
    "Too many calls are running; try again in a moment.": _always(
        tell("Many people use these pages now. Please try again in a moment.")
    ),
    "An internal error of this server; it has been logged.": _always(
        tell("This page does not work now. The people who run this server can see why.")
    ),
}
"""The template of the API's text -> the sentence."""


def for_people(text: str, question: str = "") -> Message:
    """The sentence for a fault or a notice.

    question  the question that a faulty answer belongs to
    A text that is not in the table stays as it is. Plugins may have written it as plain text.
    """
    message = text if isinstance(text, Message) else tell("{text}", text=text)
    sentence = SENTENCES.get(message.template)
    return message if sentence is None else sentence({**message.values, "question": question})


_NO_REASON = _always(tell("Please write a reason."))
_CHANGED = _always(tell("Somebody else has changed this request meanwhile."))
FOR_STAFF: Mapping[str, Sentence] = {
    "{id!r} is not a request here.": _always(tell("The city has no request with this number.")),
    "is missing; send {form}.": _always(tell("Please fill this in.")),
    "is missing; give a reason for {command}.": _NO_REASON,
    "is missing; say why you read who sent the request.": _NO_REASON,
    "is missing; say why the photo is released.": _NO_REASON,
    "is missing; say why the photo is withdrawn.": _NO_REASON,
    "is missing; say why the photo is blackened.": _NO_REASON,
    "is missing; say why the update is released.": _NO_REASON,
    "is missing; say why the update is dropped.": _NO_REASON,
    "the request is at version {now} now, not {seen}; read it again.": _CHANGED,
    "the request is at version {now} now, not {seen} ({since}); read it again.": _CHANGED,
    "is {state}; {command} is for requests that are {legal}.": _always(
        tell("The state of the request does not allow this now.")
    ),
    "is {state}; {command} is for requests that are {legal}. Transfer it to a department first.": _always(
        tell("Please give the request to a department first.")
    ),
    "is merged into another request; send the command for that request, or unmerge this request first.": _always(
        tell("The request is merged into another one. Do this there, or undo the merge first.")
    ),
    "box {number} {fault}": lambda of: tell(
        "Box {number} is wrong. Please write left, top, right and bottom in percent, such as 10 20 50 60.",
        number=of["number"],
    ),
    "is no list of boxes; send one such as [[0.1, 0.2, 0.5, 0.6]].": _always(
        tell("Please name at least one part.")
    ),
    "is missing; say why you look for the data of a person.": _NO_REASON,
    "is no reason; write one line of 1 to {most} characters.": lambda of: tell(
        "Please write a reason of one line, with at most {most} characters.", most=of["most"]
    ),
    "names the person; leave that out, because the audit trail keeps the reason for ever.": _always(
        tell("Please leave out who the person is, because the reason is kept for ever.")
    ),
    "is missing; send at least one of {names}.": _always(tell("Please fill in at least one of these four fields.")),
    "has fewer than {least} digits; send the whole number.": _always(tell("Please write the whole number.")),
    "has {count} characters; send 1 to {most}.": lambda of: tell(
        "This has {count} characters. Please write 1 to {most}.", count=of["count"], most=of["most"]
    ),
    "must be 0 to {most}; 0 means without end.": lambda of: tell(
        "Please write a number of days from 0 to {most}.", most=of["most"]
    ),
    "is blocked already by block {number}; remove that one first.": lambda of: tell(
        "Block {number} blocks this already.", number=of["number"]
    ),
    "is no e-mail address; send one such as name@mail.example.": _always(
        tell("Please write an e-mail address such as name@example.org.")
    ),
    "is no number of a key; `open311 keys list` shows them.": _always(tell("There is no key with this number.")),
    "Somebody else has changed this meanwhile; read it again before you change it.": _always(
        tell("Somebody else has changed this meanwhile. If you save again, your text replaces theirs.")
    ),
    "was used for another command within the last day; send a new one.": _always(
        tell("You have sent this form before, with other words. If you still want it, send it again.")
    ),
}
"""The sentences that only staff can read, or that say something else to staff."""


def for_staff(text: str) -> Message:
    """The sentence for a fault on a page for staff."""
    message = text if isinstance(text, Message) else tell("{text}", text=text)
    sentence = FOR_STAFF.get(message.template)
    return for_people(message) if sentence is None else sentence(message.values)


def needs_label(sentence: Message) -> bool:
    """Whether a sentence can be understood only beside its field."""
    return sentence.template not in _WHOLE_TEMPLATES


_WHOLE_TEMPLATES = frozenset(one(defaultdict(str)).template for one in _WHOLE)


def filter_faults(problems: Iterable[Problem], fields: Collection[str]) -> dict[str, Message]:
    """What is wrong with filters, by the name of the field; "" for faults without a field.

    fields  the filters that have a field in the page
    """
    found: dict[str, Message] = {}
    for problem in problems:
        if problem.field in fields:
            found.setdefault(problem.field, for_people(problem.message))
        else:
            found.setdefault("", for_people(problem.message) if problem.field == "cursor" else _UNREADABLE)
    return found


def notices(texts: Iterable[str]) -> list[Message]:
    """Notices about a list, each once. Those that only a programmer could use become one sentence."""
    found = (for_people(text) if _is_known(text) else _WITHOUT_EFFECT for text in texts)
    return list(dict.fromkeys(found))


def on_error_page(problem: Problem, *, is_form: bool = False) -> Message:
    """The sentence for the problem of a page that cannot be shown. `is_form`: whether a form was sent to it."""
    if problem.field in _OF_WHOLE_PAGES:
        return for_people(problem.message)
    return _UNREADABLE_FORM if is_form else _UNREADABLE


def _is_known(text: str) -> bool:
    return isinstance(text, Message) and text.template in SENTENCES
