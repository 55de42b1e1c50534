"""Updates of requests in mySociety's dialect of GeoReport."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from open311.domain.personal_data import DataKind
from open311.domain.services import PhotoRule
from schemas.texts import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUpdate:
    """A public update of a request.

    status      one of mySociety's words
    updated_at  when this server stored the change
    """

    update_id: str
    service_request_id: str
    status: str
    updated_at: datetime
    description: str = ""
    media_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentUpdate:
    """An update that a client sent. Its texts are cleaned, and the request is not looked up yet.

    update_id   the sender's id for the update
    status      one of mySociety's words, in lower case
    updated_at  when the update happened, as the sender says
    client_key  the call's Idempotency-Key; "" for none
    """

    service_request_id: str
    update_id: str
    status: str
    updated_at: datetime
    description: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    account_id: str = ""
    media_urls: tuple[str, ...] = ()
    client_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReceipt:
    """The answer to a sent update.

    ignored      messages about the parts that had no effect
    masked       the kinds of personal data in the text that the public does not see
    photos       how many photos are stored
    photo_rule   who sees the photos
    lost_photos  how many photos could not be stored
    """

    update_id: str
    account_id: str = ""
    ignored: tuple[Message, ...] = ()
    masked: tuple[DataKind, ...] = ()
    photos: int = 0
    photo_rule: PhotoRule = PhotoRule.PUBLIC
    lost_photos: int = 0
