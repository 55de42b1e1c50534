"""Updates of requests in mySociety's dialect of GeoReport, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.texts import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUpdate:
    """An update as the public reads it.

    status      one of mySociety's words
    updated_at  when the change was recorded here
    """

    update_id: str
    service_request_id: str
    status: str
    updated_at: datetime
    description: str = ""
    media_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentUpdate:
    """An update that somebody outside sent, cleaned but not yet checked against the request.

    update_id   the sender's own name for it
    status      one of mySociety's words, in lower case
    updated_at  when it happened, as the sender says
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
    """The answer to a sent update. `ignored`: sentences about what had no effect."""

    update_id: str
    account_id: str = ""
    ignored: tuple[Message, ...] = ()
