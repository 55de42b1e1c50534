"""Notices of a city as alerts of the Common Alerting Protocol (CAP 1.2, OASIS), and an Atom index of them.

The index has the main fields of each alert in the namespace of CAP, as the feeds of the National Weather Service
have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

from open311.domain.city_notices import CityNotice
from open311.formats.documents import DECLARATION, XML, Format
from open311.formats.markup import decimal, escaped
from open311.formats.writing.atom import NEVER, empty_element, tag, text_element
from schemas.values import format_instant

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
Ring = Sequence[tuple[float, float]]
"""The (long, lat) points of a closed ring."""


class AlertFormat(StrEnum):
    """The format of a single alert, by its suffix."""

    CAP = "cap"

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        return "application/cap+xml; charset=utf-8"

    @property
    def error_format(self) -> Format:
        """The format of error answers."""
        return XML


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The newest message about a notice.

    sender    the city's name as a sender, which no other sender of alerts has
    is_test   whether readers must not act on it, because the city does not exist
    events    the name of the notice's category, by language
    where     the name of the area, or of the city, by language
    rings     the outer rings of the area; empty if it is not known
    address   the address of the alert as a document
    page      the address of the city's page with the notice
    """

    notice: CityNotice
    sender: str
    is_test: bool
    city_name: str
    contact: str
    events: Mapping[str, str]
    where: Mapping[str, str]
    rings: Sequence[Ring]
    address: str
    page: str

    @property
    def sent_at(self) -> datetime:
        """When the message became public."""
        return self.notice.sent_at[-1]

    @property
    def is_cancelled(self) -> bool:
        """Whether the message ends the notice before its time."""
        return self.notice.ended_at is not None

    @property
    def kind(self) -> str:
        """The type of the message: Alert for the first one, then Update; Cancel if staff have ended the notice."""
        if self.is_cancelled:
            return "Cancel"
        return "Update" if len(self.notice.sent_at) > 1 else "Alert"

    def identifier(self, message: int) -> str:
        """The id of a message about the notice. `message` counts from 1. The id has no blank, comma, `<` or `&`."""
        return f"{self.sender}-notice-{self.notice.number}-{message}"


def sender_of(jurisdiction_id: str) -> str:
    """The city's name as a sender. It has no blank, comma, `<` or `&`."""
    return quote(jurisdiction_id, safe=":.-_~@")


def cap_instant(at: datetime) -> str:
    """A time as CAP wants it: whole seconds with an offset. UTC is -00:00, and `Z` is not allowed."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}-00:00"


def write_cap(alert: Alert) -> bytes:
    """One alert as a document."""
    return "".join((DECLARATION, f'<alert xmlns="{CAP}">', *_alert(alert), "</alert>")).encode()


def _alert(alert: Alert) -> Iterator[str]:
    yield text_element("identifier", alert.identifier(len(alert.notice.sent_at)))
    yield text_element("sender", alert.sender)
    yield text_element("sent", cap_instant(alert.sent_at))
    yield text_element("status", _status(alert))
    yield text_element("msgType", alert.kind)
    yield text_element("scope", "Public")
    if earlier := _references(alert):
        yield text_element("references", " ".join(earlier))
    for at in range(len(alert.notice.texts)):
        yield from _info(alert, at)


def _references(alert: Alert) -> list[str]:
    """The earlier messages about the notice."""
    earlier = enumerate(alert.notice.sent_at[:-1], start=1)
    return [f"{alert.sender},{alert.identifier(number)},{cap_instant(sent)}" for number, sent in earlier]


def _info(alert: Alert, at: int) -> Iterator[str]:
    """What the notice says in one language. `at`: the place of the language in its texts, from 0."""
    notice, said = alert.notice, alert.notice.texts[at]
    yield "<info>"
    yield text_element("language", said.language)
    yield text_element("category", notice.category)
    yield text_element("event", alert.events[said.language])
    yield text_element("urgency", _urgency(alert))
    yield text_element("severity", notice.severity)
    yield text_element("certainty", "Observed")
    yield text_element("effective", cap_instant(notice.starts_at))
    yield text_element("expires", cap_instant(notice.ends_at))
    yield text_element("senderName", alert.city_name)
    yield text_element("headline", said.headline)
    if said.description:
        yield text_element("description", said.description)
    yield text_element("web", alert.page)
    if alert.contact:
        yield text_element("contact", alert.contact)
    yield f"<area>{text_element('areaDesc', alert.where[said.language])}"
    yield from (text_element("polygon", _points(ring)) for ring in alert.rings)
    yield "</area></info>"


def _status(alert: Alert) -> str:
    return "Test" if alert.is_test else "Actual"


def _urgency(alert: Alert) -> str:
    """Past for a notice that staff have ended. Otherwise the city does not say how soon people must act."""
    return "Past" if alert.is_cancelled else "Unknown"


def _points(ring: Ring) -> str:
    """The points of a ring as CAP wants them: latitude first."""
    return " ".join(f"{decimal(lat)},{decimal(long)}" for long, lat in ring)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertIndex:
    """The metadata of the index. `languages`: those that the reader wants, the preferred one first."""

    jurisdiction_id: str
    title: str
    author: str
    links: Mapping[str, str] = field(default_factory=dict)
    languages: Sequence[str] = ()


def write_alert_index(index: AlertIndex, alerts: Sequence[Alert]) -> bytes:
    """An Atom feed of alerts, in their order."""
    entries = (part for alert in alerts for part in _entry(index, alert))
    return "".join((DECLARATION, *_head(index, alerts), *entries, "</feed>")).encode()


def _head(index: AlertIndex, alerts: Sequence[Alert]) -> Iterator[str]:
    yield f'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:cap="{CAP}">'
    yield text_element("id", tag(index.jurisdiction_id, "notices"))
    yield text_element("title", index.title)
    yield text_element("updated", max((format_instant(alert.sent_at) for alert in alerts), default=NEVER))
    yield f"<author>{text_element('name', index.author)}</author>"
    for relation, address in index.links.items():
        yield empty_element("link", rel=relation, type="application/atom+xml", href=address)


def _entry(index: AlertIndex, alert: Alert) -> Iterator[str]:
    notice = alert.notice
    language, headline = notice.headline_in(index.languages)
    spoken, description = notice.description_in(index.languages)
    message = f"{notice.number}-{len(notice.sent_at)}"
    yield "<entry>"
    yield text_element("id", tag(index.jurisdiction_id, "notices", message))
    yield f'<title xml:lang="{language}">{escaped(headline)}</title>'
    yield text_element("updated", format_instant(alert.sent_at))
    yield text_element("published", format_instant(notice.sent_at[0]))
    yield empty_element("link", rel="alternate", type="application/cap+xml", href=alert.address)
    yield empty_element("link", rel="related", type="text/html", href=alert.page)
    yield f'<summary xml:lang="{spoken}">{escaped(description)}</summary>'
    fields = {
        "event": alert.events[language],
        "sent": cap_instant(alert.sent_at),
        "effective": cap_instant(notice.starts_at),
        "expires": cap_instant(notice.ends_at),
        "status": _status(alert),
        "msgType": alert.kind,
        "category": notice.category,
        "urgency": _urgency(alert),
        "severity": notice.severity,
        "certainty": "Observed",
        "areaDesc": alert.where[language],
    }
    yield from (text_element(f"cap:{name}", value) for name, value in fields.items())
    yield "</entry>"
