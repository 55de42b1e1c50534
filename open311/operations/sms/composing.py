"""The texts of messages. They have words of the city and of this server, but nothing that people have typed."""

from __future__ import annotations

from open311.domain.page_paths import request_path
from open311.domain.public_words import OUTCOMES, STATES
from open311.domain.requests import Progress, RequestRecord, Status
from open311.domain.sms import SmsOccasion, fitted
from open311.operations.mailing.composing import service_name
from open311.operations.mailing.letters import time_in
from open311.operations.publishing import Names
from open311.plugins import Jurisdiction
from open311.translations import in_language
from schemas.texts import Message, tell

STOP_WORD = "STOP"


def message_text(
    city: Jurisdiction,
    names: Names,
    record: RequestRecord,
    occasion: SmsOccasion,
    *,
    language: str,
    own: str,
    is_first: bool,
) -> str:
    """The text of a message as things are now; "" if there is nothing to tell any more.

    own       the address of this server, without a slash at its end
    is_first  whether no message about the request was sent before, so that this one says how to end them
    """
    sentence = _sentence(city, names, record, occasion, language)
    if sentence is None:
        return ""
    link = ""
    if record.visibility.is_shown and record.service_request_id:
        link = own + request_path(city.id, record.service_request_id)
    end = tell("Reply {word} to get no more messages.", word=STOP_WORD) if is_first else ""
    return fitted(in_language(sentence, language), link=link, end=in_language(end, language))


def _sentence(
    city: Jurisdiction, names: Names, record: RequestRecord, occasion: SmsOccasion, language: str
) -> Message | None:
    is_open = record.status is Status.OPEN
    if occasion is SmsOccasion.RECEIVED:
        service = service_name(city, names, record.service_code, language)
        if not record.service_request_id:
            return tell("{city} has received your report: {service}.", city=city.name, service=service)
        return tell(
            "{city} has received your report {id}: {service}.",
            city=city.name,
            id=record.service_request_id,
            service=service,
        )
    if is_open is (occasion is SmsOccasion.CLOSED):
        return None  # closed or opened again meanwhile; that has a message of its own
    state = _state(city, record, language) if is_open else OUTCOMES.get(record.outcome, tell("It was closed."))
    id = record.service_request_id or service_name(city, names, record.service_code, language)
    if is_open:
        return tell("{city}, report {id}: {state}", city=city.name, id=id, state=state)
    return tell("{city}, report {id} is closed: {outcome}", city=city.name, id=id, outcome=state)


def _state(city: Jurisdiction, record: RequestRecord, language: str) -> Message | str:
    """How far an open request is."""
    if record.progress is Progress.SCHEDULED and record.scheduled_at is not None:
        time = time_in(record.scheduled_at, city.zone, language)
        return tell("A visit to the place is planned for {time}.", time=time)
    word = city.progress_name(record) if record.progress else ""
    return STATES.get(word, word) or tell("It is open.")
