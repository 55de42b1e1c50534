"""The submission that a POST contains (A07, A16, A17), and the texts of the answer to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from open311.domain import origins
from open311.domain.city_notices import CityNotice
from open311.domain.people import number_for_sms
from open311.domain.photos import SentPhoto
from open311.domain.requests import Receipt, Reporter, Submission
from open311.domain.services import PhotoRule
from open311.domain.text import clean_text, stripped
from open311.errors import Invalid, Open311Error
from open311.operations.mailing.rules import mails_reporters
from open311.operations.masking import NAMES
from open311.operations.media.choosing import Dropped
from open311.operations.sms.composing import STOP_WORD
from open311.operations.sms.rules import texts_reporters
from open311.translations import in_language
from open311.web.calls import Call
from open311.web.languages import caller_language, preferred
from schemas.arguments import as_sent
from schemas.texts import Message, joined, tell, tell_count

REPEAT_HEADER = "Idempotency-Key"


def submission_of(call: Call, photos: tuple[SentPhoto, ...] = ()) -> Submission:
    """The fields of a POST, stripped. A field that could not be parsed is empty; `call.problems` says why.

    photos  those of the call's files that are accepted
    """
    values = call.values
    field = {name: stripped(value) for name, value in values.items() if isinstance(value, str)}
    repeat_key = clean_text(call.request.headers.get(REPEAT_HEADER, "")).strip()
    return Submission(
        service_code=field["service_code"],
        lat=field["lat"],
        long=field["long"],
        address_string=field["address_string"],
        address_id=field["address_id"],
        description=field["description"],
        media_urls=tuple(url for url in map(stripped, values["media_url"]) if url),
        attributes=values["attributes"],
        reporter=Reporter(
            email=field["email"],
            first_name=field["first_name"],
            last_name=field["last_name"],
            phone=field["phone"],
            device_id=field["device_id"],
            account_id=field["account_id"],
        ),
        client_request_id=repeat_key or field["client_request_id"],
        external_id=field["service_request_id_ext"],
        via=_via(call),
        photos=photos,
        own_address=call.own_address() if photos else "",
        language=mail_language(call),
        sms_language=sms_language(call),
    )


def sms_language(call: Call) -> str:
    """The language in which the sender of a call gets text messages; "" if the sender gets none."""
    return caller_language(call.request) if call.values["sms"] and sms_fault(call) is None else ""


def sms_fault(call: Call) -> Message | None:
    """Why the sender of a call can get no text messages; None if the sender can get them."""
    city = call.city
    if not texts_reporters(call.platform.settings, city):
        return tell("the city sends no text messages")
    if call.caller.is_test:
        return tell("the request is only a test")
    phone = stripped(call.values["phone"] or "")
    if not phone:
        return tell("the phone number is missing")
    if not number_for_sms(phone, city.privacy.phone_region, abroad=city.sms.abroad):
        return tell("no text message can be sent to this phone number")
    return None


def mail_language(call: Call) -> str:
    """The language in which the sender of a call gets mail; "" if the city sends none."""
    is_sent = mails_reporters(call.platform.settings, call.city)
    return caller_language(call.request) if is_sent else ""


def _via(call: Call) -> tuple[str, ...]:
    """The hops of the request so far, as the sending server names them. Raises Invalid for a faulty header."""
    try:
        return origins.read(call.request.headers.get(origins.HEADER, ""))
    except ValueError:
        raise Invalid(tell("is not a list of hops, each as CITY=ID."), origins.HEADER) from None


@contextmanager
def repeat_key_named_as_sent(call: Call) -> Iterator[None]:
    """Let errors name the header Idempotency-Key, not client_request_id, if the caller has sent the header."""
    try:
        yield
    except Open311Error as error:
        if call.request.headers.get(REPEAT_HEADER, "").strip():
            error.problems = tuple(
                replace(one, field=REPEAT_HEADER) if one.field == "client_request_id" else one
                for one in error.problems
            )
        raise


def notice_for_caller(
    receipt: Receipt,
    call: Call,
    dropped: Sequence[Dropped] = (),
    *,
    told: Sequence[CityNotice] = (),
    is_on_page: bool = False,
) -> tuple[str, str]:
    """The service_notice in the caller's language, and the value of the header Content-Language.

    dropped     the files that are not accepted
    told        the city's notices about the service and the place
    is_on_page  whether a page shows the notice. A page has no names of fields, and says itself whom to call in an
                emergency

    The parts of the text come in this order. Parts in the same language stand together.

    - the catalogue's notice, in a language of the city
    - our own sentences, such as those about an emergency or about files, in a language of this server
    - the notices `told`, each in a language in which staff have written it
    - the notice of the caller's key, in the language in which the operator has written it
    """
    texts: dict[str, str] = {}  # language -> text
    if receipt.service_notice:
        language, notice = _own_notice(receipt, call)
        texts[language] = notice
    urgent = [] if is_on_page else [*_emergency(call)]
    left_out = [*_left_out(dropped)] if is_on_page else []
    named = () if is_on_page else dropped
    for own in (*urgent, *_own_sentences(receipt, call, named), *left_out):
        language = caller_language(call.request)
        sentence = in_language(own, language)
        texts[language] = f"{texts[language]} {sentence}" if language in texts else sentence
    for one in told:
        language, sentences = _notice_in_line(one, call)
        texts[language] = f"{texts[language]} {sentences}" if language in texts else sentences
    parts = [*texts.values(), *([call.caller.notice] if call.caller.notice else [])]
    return " ".join(parts), ", ".join(texts)


def _notice_in_line(notice: CityNotice, call: Call) -> tuple[str, str]:
    """A notice of the city as one line: a language, and the texts in it."""
    wanted = preferred(call.request, notice.languages, call.values["locale"])
    language, headline = notice.headline_in(wanted)
    spoken, description = notice.description_in((language,))
    end = "" if headline[-1:] in ".!?。！？؟" else "."
    more = f" {' '.join(description.split())}" if description and spoken == language else ""
    return language, f"{headline}{end}{more}"


def _emergency(call: Call) -> Iterator[Message]:
    answers = (value for _, values in call.values["attributes"] for value in values)
    if number := call.city.emergency_number((call.values["description"], *answers)):
        yield emergency_notice(number)


def emergency_notice(number: str) -> Message:
    """What a reporter is told if the report sounds like an emergency."""
    return tell(
        "If somebody is in danger now, call {number}. The city may read this report only hours or days later.",
        number=number,
    )


def _own_sentences(receipt: Receipt, call: Call, dropped: Sequence[Dropped]) -> Iterator[Message]:
    """What this server adds to the notice of the catalogue."""
    if receipt.replaced_service:
        service = call.city.service(receipt.service_code)
        yield tell("Your report is kept as: {service}.", service=service.name if service else receipt.service_code)
    if receipt.masked:
        kinds = joined(NAMES[kind] for kind in receipt.masked)
        yield tell("The public does not see personal data in your text: {kinds}.", kinds=kinds)
    if call.values["sms"]:
        fault = sms_fault(call)
        yield (
            tell("You get text messages about your report. To get no more of them, reply {word}.", word=STOP_WORD)
            if fault is None
            else tell("You get no text messages about your report: {reason}.", reason=fault)
        )
    if receipt.is_held:
        yield tell("The public sees your report once a person has reviewed it.")
    rule = call.city.photo_rule(receipt.service_code)
    yield from photo_sentences(receipt.photos, receipt.lost_photos, dropped, rule)


def _left_out(dropped: Sequence[Dropped]) -> Iterator[Message]:
    """What a page tells the reporter about the files that are not accepted."""
    for one in dropped:
        if one.count == 1:
            yield tell("Your file was left out: {reason}.", reason=one.reason)
        else:
            yield tell("File {number} was left out: {reason}.", number=one.number, reason=one.reason)


def photo_sentences(kept: int, lost: int, dropped: Sequence[Dropped], rule: PhotoRule) -> Iterator[Message]:
    """What a caller is told about the photos in a call: how many are stored or lost, and which are not accepted."""
    if kept:
        yield tell_count("{count} photo is being prepared.", "{count} photos are being prepared.", count=kept)
    if kept and rule is PhotoRule.HELD:
        yield tell("The public sees the photos once a person has reviewed them.")
    if kept and rule is PhotoRule.PRIVATE:
        yield tell("Only the staff of the city see the photos.")
    if lost:
        yield tell_count(
            "{count} photo could not be stored; your report is kept without it.",
            "{count} photos could not be stored; your report is kept without them.",
            count=lost,
        )
    for one in dropped:
        yield tell(
            "Your report is kept, but not the file in {name}: {reason}.", name=_place_of(one), reason=one.reason
        )


def photo_warnings(lost: int, dropped: Sequence[Dropped]) -> Iterator[Message]:
    """A sentence for each file that is not accepted, and one sentence for all photos that could not be stored."""
    for one in dropped:
        yield tell("the file in {name} is not kept as a photo: {reason}", name=_place_of(one), reason=one.reason)
    if lost:
        yield tell_count("{count} photo could not be stored", "{count} photos could not be stored", count=lost)


def _place_of(file: Dropped) -> str:
    """The field of a file. Several files of a call often have the same field, so they are numbered."""
    name = as_sent(file.name)
    return (
        name
        if file.count == 1
        else tell("{name} (file {number} of {count})", name=name, number=file.number, count=file.count)
    )


def _own_notice(receipt: Receipt, call: Call) -> tuple[str, str]:
    """A language and the notice in it. A notice that the catalogue has changed meanwhile stays as it is stored."""
    city, service = call.city, call.city.service(receipt.service_code)
    if city.translations and service is not None and service.notice == receipt.service_notice:
        for language in call.languages:
            if notice := city.translated_notice(service, language):
                return language, notice
    return city.languages[0], receipt.service_notice


def submission_warnings(
    receipt: Receipt, call: Call, dropped: Sequence[Dropped] = (), uncounted: Sequence[str] = ()
) -> Iterator[Message]:
    """A sentence for each thing in a POST that is not kept as it was sent, and the notice of the caller's key.

    uncounted  codes in `suggestion` that the city does not have
    """
    if call.caller.notice:
        yield tell("to the users of this app: {notice}", notice=call.caller.notice)
    if receipt.replaced_service:
        yield tell(
            "service_code {old} is replaced; the request is stored under {new}",
            old=as_sent(receipt.replaced_service),
            new=as_sent(receipt.service_code),
        )
    yield from photo_warnings(receipt.lost_photos, dropped)
    if call.values["sms"] and (reason := sms_fault(call)) is not None:
        yield tell("sms is ignored: {reason}", reason=reason)
    if "extended_attributes" in call.values["extensions"] and not receipt.status_secret:
        yield tell("only the first answer has status_url; this call repeats an earlier one")
    for code in receipt.unknown_attributes:
        yield tell("attribute[{code}] is ignored; the service has no such attribute", code=as_sent(code))
    for code in uncounted:
        yield tell("suggestion: {code} is not counted; the service list does not have it", code=as_sent(code))
    for code in receipt.kept_attributes:
        yield tell(
            "attribute[{code}] is kept for staff only; the service has no such attribute", code=as_sent(code)
        )
    for remark in receipt.remarks:
        yield tell("attribute[{code}] {remark}", code=as_sent(remark.code), remark=remark.text)
    if receipt.candidates:
        names = ", ".join(map(as_sent, receipt.candidates))
        yield tell("the point is near a border; it may be the place of one of {names}", names=names)
