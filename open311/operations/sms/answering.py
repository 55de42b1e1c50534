"""What people answer to text messages. Two answers have an effect: one ends the messages, one starts them again."""

from __future__ import annotations

from datetime import datetime

from open311.domain.people import number_for_sms
from open311.domain.sms import Wish, digest_of_number, wish_of
from open311.errors import Invalid, Misconfigured, NotFound, Unauthenticated, Unavailable
from open311.observe import logger
from open311.operations.platform import Platform
from open311.operations.sms.rules import sender_for, texts_reporters
from open311.plugins import BadCall, Jurisdiction, RawCall, SmsAnswer
from open311.storage import mails, sms
from schemas.texts import tell

log = logger(__name__)


def take_answer(platform: Platform, city: Jurisdiction, call: RawCall, *, now: datetime) -> Wish:
    """Read a call of a city's gateway with what somebody has answered, and store whether the person wants messages.

    A later call about the same phone number replaces an earlier one. A number that is stopped gets no messages of
    any city of this server, because the person answers the gateway, and all cities use the same gateway.
    Raises NotFound if the city sends no messages, Unauthenticated for a call that the gateway has not signed,
    Invalid for a call that cannot be read, and Unavailable for a fault of this server: then the gateway should call
    again.
    """
    if not texts_reporters(platform.settings, city):
        raise NotFound(tell("This city sends no text messages."))
    answer = _answer(platform, city, call, now)
    number = number_for_sms(answer.sender, "", abroad=True)
    wish = wish_of(answer.text)
    if not number or wish is Wish.OTHER:
        return Wish.OTHER
    with platform.database.transaction() as connection:
        recipient = digest_of_number(mails.make_key(connection), number)
        if wish is Wish.STOP:
            sms.stop(connection, recipient, now)
        else:
            sms.start(connection, recipient)
    log.info("somebody has answered a text message", city=city.id, wish=wish.value)
    return wish


def _answer(platform: Platform, city: Jurisdiction, call: RawCall, now: datetime) -> SmsAnswer:
    try:
        sender = sender_for(platform.settings, city)
    except Misconfigured as error:
        log.error("the gateway for text messages is not set up", city=city.id, cause=str(error))
        raise Unavailable(tell("Text messages are not set up here; call again later.")) from None
    try:
        return sender.receive(call, now=now)
    except BadCall as error:
        log.warning("a call of the gateway for text messages was refused", city=city.id, cause=str(error))
        raise Unauthenticated(tell("the signature of this call is missing, wrong or too old.")) from None
    except ValueError as error:
        log.warning("a call of the gateway for text messages cannot be read", city=city.id)
        raise Invalid(tell("The call cannot be read: {fault}.", fault=str(error))) from None
    except Exception as error:  # a plugin may raise anything, and the text of the error may have the number
        log.error("a sender of text messages raised an exception", city=city.id, error=type(error).__name__)
        raise Unavailable(tell("The call cannot be read now; call again later.")) from None
    finally:
        sender.close()
