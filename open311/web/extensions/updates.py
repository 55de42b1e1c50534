"""mySociety's request updates (spec/extensions.md, U1 to U9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from werkzeug.wrappers import Request

from open311.domain.access import Principal
from open311.domain.text import clean_text, stripped
from open311.domain.updates import SentUpdate, UpdateReceipt
from open311.errors import Forbidden, Invalid, NotFound
from open311.formats import document, shape_of
from open311.operations.masking import NAMES
from open311.operations.media.choosing import Dropped, choose
from open311.operations.platform import Platform
from open311.operations.reading.find_updates import find_updates
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.receive_update import receive_update
from open311.settings import Settings
from open311.web.access import ANYBODY, Access, key_holder
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.parsing import Parameters
from open311.web.submissions import photo_sentences, photo_warnings
from open311.web.surfaces import GEOREPORT
from schemas.texts import Message, joined, tell
from schemas.updates import RequestUpdateReceiptSchema, RequestUpdateSchema, UpdateArguments, UpdateSearchArguments


@contextmanager
def _errors_as_wanted(settings: Settings) -> Iterator[None]:
    """Turn the errors for an unknown request and a wrong key into Invalid, if the operator wants 400 for them."""
    try:
        yield
    except (Forbidden, NotFound) as error:
        if not settings.update_errors_400:
            raise
        raise Invalid.of(error.problems) from error


def _key_holder(platform: Platform, request: Request, sent: Parameters) -> Principal:
    with _errors_as_wanted(platform.settings):
        return key_holder(platform, request, sent)


_UPDATE_KEY = Access("api_key", _key_holder)
_UPDATE = shape_of(RequestUpdateSchema)
_RECEIPT = shape_of(RequestUpdateReceiptSchema)


@endpoint(
    GEOREPORT,
    "/servicerequestupdates",
    reads=UpdateSearchArguments,
    access=ANYBODY,
    answers=RequestUpdateSchema,
    is_extension=True,
)
def list_updates(call: Call) -> Answer:
    """List what happened to public requests in a window of time, oldest first (extension of mySociety).

    An update says the status after a change, what the city said to the public, or both.
    """
    values = call.values
    found = find_updates(
        call.platform,
        call.city.id,
        values["start_date"],
        values["end_date"],
        secret=values["api_key"],
        now=call.now,
    )
    return Answer(body=document(_UPDATE, _UPDATE.plain_list(found), call.output))


@endpoint(
    GEOREPORT,
    "/servicerequestupdates",
    reads=UpdateArguments,
    access=_UPDATE_KEY,
    answers=RequestUpdateReceiptSchema,
    method="POST",
    is_extension=True,
    gathers_problems=True,
    errors=(404,),
)
def create_update(call: Call) -> Answer:
    """Send an update of a request (extension of mySociety).

    If the key may update, status and text count as the city's own. Otherwise the text is a comment, which only
    staff see unless the city shows comments, and the status has no effect; the header Warning says so. Files in a
    multipart body are kept as photos. Everybody who can see the text can see them, unless the service holds its
    photos or keeps them private.
    """
    ensure_synced(call.platform)
    chosen = choose(call.files, call.platform.settings)
    with _errors_as_wanted(call.platform.settings):
        receipt = receive_update(
            call.platform,
            call.city,
            _update_of(call),
            principal=call.caller,
            now=call.now,
            problems=call.problems,
            photos=chosen.photos,
            own_address=call.own_address(),
            sender=call.sender(),
        )
    return Answer(
        body=document(_RECEIPT, _RECEIPT.plain_list([receipt]), call.output),
        warnings=tuple(_warnings(receipt, call, chosen.dropped)),
    )


def _update_of(call: Call) -> SentUpdate:
    values = call.values
    field = {name: stripped(value) for name, value in values.items() if isinstance(value, str)}
    return SentUpdate(
        service_request_id=field.get("service_request_id", ""),
        update_id=field.get("update_id", ""),
        status=field.get("status", "").lower(),
        updated_at=values["updated_datetime"] or call.now,
        description=field.get("description", ""),
        email=field["email"],
        first_name=field["first_name"],
        last_name=field["last_name"],
        phone=field["phone"],
        account_id=field["account_id"],
        media_urls=tuple(url for url in map(stripped, values["media_url"]) if url),
        client_key=clean_text(call.request.headers.get("Idempotency-Key", "")).strip(),
    )


def _warnings(receipt: UpdateReceipt, call: Call, dropped: Sequence[Dropped]) -> Iterator[Message]:
    """A sentence for everything in the update that has no effect or is masked, and about its photos."""
    yield from receipt.ignored
    if receipt.masked:
        kinds = joined(NAMES[kind] for kind in receipt.masked)
        yield tell("the public does not see personal data in the text: {kinds}", kinds=kinds)
    yield from photo_sentences(receipt.photos, 0, (), receipt.photo_rule)
    yield from photo_warnings(receipt.lost_photos, dropped)
    if call.values["email_alerts_requested"].upper() == "TRUE":
        yield tell("email_alerts_requested has no effect; this server sends no alerts about updates")
