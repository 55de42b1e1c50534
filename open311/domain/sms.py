"""Text messages to reporters: a city's rules, what fits into a message, and the words by which people end messages.

All functions are pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from open311.domain.access import ALL_JURISDICTIONS
from open311.domain.calendar import MINUTES_A_DAY, Hours
from open311.domain.mails import Queued, mac

LEASE = timedelta(minutes=5)
"""If a worker dies while it sends a message, another worker sends it again after this time, under the same id."""
MOST_PARTS = 2
"""A text that needs more parts than this is cut. Gateways take money for each part."""
GSM_SINGLE, GSM_PART = 160, 153
"""How many characters of GSM 03.38 fit into a message, and into each part of a longer message."""
UCS_SINGLE, UCS_PART = 70, 67
"""The same two numbers for a message that has any other character, in units of UTF-16."""
_LEAST_TEXT = 20
"""If a link leaves fewer characters than this to the sentence, the message goes without the link."""
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€")
"""Each of these needs the room of two characters."""
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\u202f": " "}
)
"""Signs that are not in GSM 03.38 and would halve the room of a message -> similar signs that are in GSM 03.38."""
_ISOLATES, _END_OF_ISOLATE = "\u2066\u2067\u2068", "\u2069"
_CUT = "..."
_BREAKS = ("Cc", "Cs", "Zl", "Zp")
"""Categories of Unicode that no line has."""


class SmsOccasion(StrEnum):
    """What a message is about: the report has come in, its state has changed, or it was closed."""

    RECEIVED = "received"
    STATUS = "status"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsRules:
    """Which text messages a city sends to reporters who ask for them; none without a gateway in the settings.

    kind        the kind of sender, such as `webhook`; "" if the city sends none
    about       what messages are about: `received`, `status`, `closed`
    quiet       the hours, in the city's time zone, at which no message is sent
    per_number  how many messages a number gets within a day
    per_city    how many messages the city sends within a day
    abroad      whether numbers of other countries get messages too
    """

    kind: str = ""
    about: tuple[SmsOccasion, ...] = (*SmsOccasion,)
    quiet: tuple[Hours, ...] = ()
    per_number: int = 5
    per_city: int = 1_000
    abroad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedSms(Queued):
    """A message that waits, or was sent. Its phone number and its text are read only when it is sent.

    number     the number of the request
    recipient  the digest of the phone number; None until the first try
    """

    number: int
    occasion: SmsOccasion
    recipient: bytes | None = field(default=None, repr=False)


def webhook_id(key: str, queued: QueuedSms) -> str:
    """The id under which a gateway gets a message. It is the same at each try, and nobody can guess it."""
    return f"sms-{mac(key, 'sms', queued.jurisdiction_id, str(queued.id))[:16].hex()}"


def digest_of_number(key: str, number: str) -> bytes:
    """The digest of a phone number in the form +16175550142, for all cities of the server."""
    return mac(key, "sms number", ALL_JURISDICTIONS, number)[:16]


def end_of_quiet(quiet: tuple[Hours, ...], now: datetime) -> datetime | None:
    """The end of the quiet hours in which an instant lies; None if it lies outside all of them.

    now  in the city's time zone
    """
    for ahead in range(MINUTES_A_DAY):
        later = now + timedelta(minutes=ahead)
        if not any(later.hour * 60 + later.minute in hours for hours in quiet):
            return later.replace(second=0, microsecond=0) if ahead else None
    return now + timedelta(days=1)  # quiet all day; the check of a city refuses this


# --- What fits into a message


def parts_of(text: str) -> int:
    """In how many parts a text is sent."""
    costs = list(_costs(text))
    single, most = (GSM_SINGLE, GSM_PART) if is_gsm(text) else (UCS_SINGLE, UCS_PART)
    if sum(costs) <= single:
        return 1
    parts, room = 1, most
    for cost in costs:  # a character is never divided between two parts
        if cost > room:
            parts, room = parts + 1, most
        room -= cost
    return parts


def is_gsm(text: str) -> bool:
    """Whether the small alphabet of GSM 03.38 has all characters of a text."""
    return set(text) <= _GSM | _GSM_TWICE


def _costs(text: str) -> Iterator[int]:
    """The room that each character takes."""
    if is_gsm(text):
        return (2 if sign in _GSM_TWICE else 1 for sign in text)
    return (2 if ord(sign) > 0xFFFF else 1 for sign in text)


def fitted(sentence: str, *, link: str = "", end: str = "") -> str:
    """The sentence with the link and the end behind it, in at most MOST_PARTS parts.

    A sentence that is too long is cut, at the end of a word if one is near. If too little of it would be left, the
    link is left out, and then also the end.
    """
    sentence, end = _one_line(sentence), _one_line(end)
    for tail in (f"{link} {end}".strip(), end):
        if found := _cut(sentence, f" {tail}" if tail else ""):
            return found
    return _cut(sentence, "") or sentence[:_LEAST_TEXT]


def _one_line(text: str) -> str:
    signs = (" " if unicodedata.category(sign) in _BREAKS else sign for sign in text.translate(_PLAIN))
    return " ".join("".join(signs).split())


def _cut(text: str, tail: str) -> str:
    """The text, or as much of its beginning as fits, and then the tail; "" if too little of it fits."""
    if parts_of(text + tail) <= MOST_PARTS:
        return text + tail
    most = min(len(text), GSM_PART * MOST_PARTS)
    for length in range(most, _LEAST_TEXT - 1, -1):
        kept = _whole_words(text, length)
        if parts_of(kept + tail) <= MOST_PARTS:
            return kept + tail
    return ""


def _whole_words(text: str, length: int) -> str:
    """At most `length` characters of a text, up to the end of a word, with three points.

    Chinese has no blanks, so it is cut between two characters.
    """
    kept = text[:length]
    if not text[length : length + 1].isspace():
        blank = kept.rfind(" ")
        if blank > length // 2:
            kept = kept[:blank]
        while len(kept) < len(text) and unicodedata.combining(text[len(kept)]):
            kept = kept[:-1]
    kept = kept.rstrip(" ,.;:")
    open_isolates = sum(map(kept.count, _ISOLATES)) - kept.count(_END_OF_ISOLATE)
    return kept + _END_OF_ISOLATE * max(0, open_isolates) + _CUT


# --- What people answer


class Wish(StrEnum):
    """What somebody has answered to a message.

    STOP   the person wants no more messages
    START  the person wants messages again
    OTHER  something else, which nobody reads
    """

    STOP = "stop"
    START = "start"
    OTHER = "other"


_WORDS: Mapping[Wish, str] = {
    Wish.STOP: """stop stopall stopp unsubscribe cancel end quit optout revoke
        alto parar pare baja cancelar fin  arret arreter desabonner  kanpe sispann rete  توقف ايقاف الغاء وقف
        停止 退订 取消""",
    Wish.START: """start unstop resume  iniciar inicio alta reanudar  reprendre debut  komanse rekomanse
        ابدا استئناف بدء  开始 恢复""",
}


def wish_of(text: str) -> Wish:
    """What an answer means. The words of all languages of this server count, whatever language the message had.

    The whole answer must be one of the words. Case, accents, blanks and punctuation do not matter.
    """
    return _WISHES.get(_folded(text[:200]), Wish.OTHER)


def _folded(text: str) -> str:
    """A text without case, accents, blanks and punctuation."""
    plain = "".join(
        sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign)
    )
    return re.sub(r"[\W_]+", "", plain)


_WISHES = {_folded(word): wish for wish, words in _WORDS.items() for word in words.split()}
