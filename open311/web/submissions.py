"""The submission that a POST contains (A07, A16, A17)."""

from __future__ import annotations

from collections.abc import Iterator

from open311.domain.requests import Receipt, Reporter, Submission
from open311.domain.text import clean_text, stripped
from open311.translations import in_language
from open311.web.calls import Call
from open311.web.languages import caller_language, wanted_languages
from schemas.arguments import as_sent
from schemas.texts import Message, tell

FILES_NOTICE = tell("Photos are not kept here yet: send the address of a photo in media_url.")


def submission_of(call: Call) -> Submission:
    """The fields of a POST, stripped. A field that could not be parsed is empty; `call.problems` says why."""
    values = call.values
    field = {name: stripped(value) for name, value in values.items() if isinstance(value, str)}
    repeat_key = clean_text(call.request.headers.get("Idempotency-Key", "")).strip()
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
    )


def notice_for_caller(receipt: Receipt, call: Call) -> tuple[str, str]:
    """The service_notice in the caller's language, and the value of the header Content-Language.

    The catalogue's notice is in a language of the city, our own text about files in a language of this server.
    """
    texts: dict[str, str] = {}  # language -> text
    if receipt.service_notice:
        language, notice = _own_notice(receipt, call)
        texts[language] = notice
    if call.files:
        language = caller_language(call.request)
        told = in_language(FILES_NOTICE, language)
        texts[language] = f"{texts[language]} {told}" if language in texts else told
    return " ".join(texts.values()), ", ".join(texts)


def _own_notice(receipt: Receipt, call: Call) -> tuple[str, str]:
    """A language and the notice in it. A notice that the catalogue has changed meanwhile stays as it is stored."""
    city, service = call.city, call.city.service(receipt.service_code)
    if city.translations and service is not None and service.notice == receipt.service_notice:
        for language in wanted_languages(call.request, city, call.values["locale"]):
            if notice := city.translated_notice(service, language):
                return language, notice
    return city.languages[0], receipt.service_notice


def submission_warnings(receipt: Receipt, call: Call) -> Iterator[Message]:
    """A sentence for each file and each attribute of a POST that is not stored."""
    for name in dict.fromkeys(call.files):
        yield tell("the file in {name} is not kept; send the address of a photo in media_url", name=as_sent(name))
    for code in receipt.unknown_attributes:
        yield tell("attribute[{code}] is ignored; the service has no such attribute", code=as_sent(code))
    for code in receipt.kept_attributes:
        yield tell(
            "attribute[{code}] is kept for staff only; the service has no such attribute", code=as_sent(code)
        )
