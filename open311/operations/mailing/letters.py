"""The content of a mail as plain text and as HTML, in the language of its reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import Enum

from babel import Locale
from babel.dates import format_date, format_time
from markupsafe import Markup, escape

from open311.translations import in_language


class Style(Enum):
    """How a part of a mail looks.

    PLAIN  a sentence
    SAID   what somebody has written
    FACT   a line of a list
    LINK   a link on a line of its own
    SMALL  a sentence below the mail
    """

    PLAIN = "plain"
    SAID = "said"
    FACT = "fact"
    LINK = "link"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mail. `address`: where its link leads; "" without a link."""

    text: str
    style: Style = Style.PLAIN
    address: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail without its sender and its recipient."""

    language: str
    subject: str = field(repr=False)
    parts: Sequence[Part] = field(repr=False)

    @property
    def heading(self) -> str:
        """The subject in the language of the reader."""
        return in_language(self.subject, self.language)

    @property
    def text(self) -> str:
        """The mail as plain text. A link stands on a line of its own, so that no program cuts it."""
        return "\n".join(self._lines()).strip() + "\n"

    def _lines(self) -> Iterable[str]:
        before = None
        for part in self.parts:
            text = in_language(part.text, self.language)
            if not (part.style is Style.FACT and before is Style.FACT):
                yield ""
            if part.style is Style.SMALL and before is not Style.SMALL:
                yield "-- "
            if part.style is Style.SAID:
                yield from (f"> {line}" for line in text.splitlines())
            else:
                yield text
            if part.address:
                yield part.address
            before = part.style

    @property
    def html(self) -> str:
        """The mail as HTML, without pictures, scripts or anything from another server."""
        direction = Locale.parse(self.language, sep="-").text_direction
        body = Markup("\n").join(_markup(part, in_language(part.text, self.language)) for part in self.parts)
        return _PAGE.format(language=self.language, direction=direction, title=self.heading, body=body)


_PAGE = Markup(
    '<!doctype html>\n<html lang="{language}" dir="{direction}">\n'
    '<head><meta charset="utf-8"><title>{title}</title></head>\n'
    '<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">\n{body}\n</body>\n</html>\n'
)
_BLOCKS = {
    Style.PLAIN: Markup("<p>{text}</p>"),
    Style.SAID: Markup(
        '<blockquote dir="auto" style="border-left: 3px solid; padding-left: 1em">{text}</blockquote>'
    ),
    Style.FACT: Markup('<p style="margin: 0">{text}</p>'),
    Style.LINK: Markup('<p><a href="{address}">{text}</a></p>'),
    Style.SMALL: Markup('<p style="font-size: smaller">{text}</p>'),
}


def _markup(part: Part, text: str) -> Markup:
    shown = Markup("<br>\n").join(escape(line) for line in text.splitlines())
    if part.address and part.style is not Style.LINK:
        shown = Markup('<a href="{}">{}</a>').format(part.address, shown)
    return _BLOCKS[part.style].format(text=shown, address=part.address)


def time_in(at: datetime, zone: tzinfo, language: str) -> str:
    """A date and a time as people read them in a language."""
    locale = Locale.parse(language, sep="-")
    day = format_date(at.astimezone(zone), "long", locale=locale)
    return f"{day}, {format_time(at, 'short', tzinfo=zone, locale=locale)}"
