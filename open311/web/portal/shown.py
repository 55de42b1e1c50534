"""A request as a page shows it. It is made from the JSON that the API answers with, so both say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from open311.domain.outlooks import Outlook
from open311.domain.public_words import CLOSED, NOTES, OUTCOMES, REOPENED, STATES, STATUSES
from open311.operations.statistics.forecasting import find_usual_days
from open311.web.calls import Call
from open311.web.languages import in_languages
from open311.web.portal.rendering import Frame
from open311.web.surfaces import MEDIA
from schemas.texts import Message, tell


@dataclass(frozen=True)
class Entry:
    """One entry of a history: when, what happened, and the text that belongs to it."""

    at: datetime
    what: Message
    text: str = ""


@dataclass(frozen=True)
class Picture:
    """A photo. `shown` is its address on this server; "" for one that lies elsewhere and is only linked."""

    address: str
    shown: str = ""

    @property
    def host(self) -> str:
        """The host of a photo that lies elsewhere."""
        return urlsplit(self.address).hostname or ""


class ShownRequest:
    """A public request, or a reporter's own request, in the language of the page.

    frame    the frame of the page
    content  the request as the API answers with it in JSON, with the extensions that the page shows
    """

    def __init__(self, call: Call, frame: Frame, content: bytes) -> None:
        self._call = call
        self._frame = frame
        self._content: dict[str, Any] = orjson.loads(content)

    def __getitem__(self, field: str) -> Any:
        """A field of the standard, or one of the extended attributes; "" if it is absent or null."""
        more = self._content.get("extended_attributes") or {}
        return self._content.get(field) or more.get(field) or ""

    @property
    def id(self) -> str:
        """The service_request_id; "" if there is none yet."""
        return str(self["service_request_id"])

    @property
    def is_open(self) -> bool:
        """Whether the city has not closed it."""
        return bool(self["status"] == "open")

    @property
    def status(self) -> Message:
        """The status in a word."""
        return STATUSES[str(self["status"])]

    @property
    def state(self) -> str:
        """A sentence about the state or the outcome, or the city's own word for it; "" if nothing more is known."""
        if self.is_open:
            word = str(self["detailed_status"])
            return STATES.get(word, word)
        return OUTCOMES.get(str(self["outcome"]), "")

    @cached_property
    def service(self) -> str:
        """The name of the service. It is translated if the catalogue has a service with this code and this name."""
        service = self._call.city.service(str(self["service_code"]))
        if service is None or service.name != self["service_name"]:
            return str(self["service_name"])
        [translated] = in_languages([service], self._call.city, self._frame.catalogue_languages)
        return translated.name

    @property
    def is_with_reporter(self) -> bool:
        """Whether the city waits for an answer of the person who reported it."""
        notes = self._content.get("notes") or []
        return self.is_open and bool(notes) and notes[-1]["type"] == "question"

    @property
    def is_with_department(self) -> bool:
        """Whether a department acts next."""
        return self.is_open and not self.is_with_reporter and bool(self["agency_responsible"])

    @property
    def next_step(self) -> str:
        """Who acts next: a sentence, or the name of a department."""
        if not self.is_open:
            return tell("Nobody. The city has finished its work on this report.")
        if self.is_with_reporter:
            return tell("The person who reported it. The city waits for an answer.")
        if self.is_with_department:
            return str(self["agency_responsible"])
        return tell("The city decides which department gets the report.")

    @cached_property
    def usual(self) -> Outlook | None:
        """How long such a request usually takes; None if the request is closed, or if no forecast says it."""
        if not self.is_open:
            return None
        call, code = self._call, str(self["service_code"])
        return find_usual_days(call.platform, call.city, code, self["areas"] or ())

    @property
    def support(self) -> str:
        """The address to which the button "me too" is sent."""
        return self._frame.link(f"requests/{quote(self.id, safe='')}/support")

    def at(self, field: str) -> datetime | None:
        """An instant of the request; None if there is none."""
        text = self[field]
        return datetime.fromisoformat(text) if text else None

    @property
    def point(self) -> tuple[float, float] | None:
        """(long, lat) in degrees; None without a point."""
        lat, long = self._content.get("lat"), self._content.get("long")
        return None if lat is None or long is None else (long, lat)

    @property
    def main_request(self) -> str:
        """The id of the request that it was merged into, or that it may repeat; "" if there is none."""
        return str(self["possible_duplicate_of"])

    def history(self) -> Iterator[Entry]:
        """What happened, oldest first."""
        for note in self._content.get("notes") or []:
            at, kind, text = datetime.fromisoformat(note["datetime"]), note["type"], note["description"] or ""
            if kind == "status":
                yield Entry(at, CLOSED if text == "closed" else REOPENED)
            else:
                yield Entry(at, NOTES.get(kind, NOTES["note"]), text)

    def photos(self) -> Iterator[Picture]:
        """The photos. A page shows only those on this server, so that no other host learns who reads it."""
        own = self._call.own_address()
        for address in self["media_urls"] or filter(None, [self["media_url"]]):
            is_own = address.startswith(f"{own}{MEDIA.prefix}/") and address.endswith(".jpg")
            if address.startswith(("https://", "http://")):
                yield Picture(address, self._frame.request.root_path + urlsplit(address).path if is_own else "")

    def answers(self) -> Iterator[tuple[str, str]]:
        """The public answers to the questions of the service: question and answer."""
        for answer in self._content.get("attributes") or []:
            yield answer["label"], answer["name"]
