"""Invented people. Each comes by one door, so that a leak names its door."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import unquote

IBAN, CARD = "GB29 NWBK 6016 1331 9268 19", "4111 1111 1111 1111"
SHOWN, HIDDEN = "shownword", "hiddenword"
"""Words of texts that everybody may read, and of texts that only staff and the reporter may read."""
FILE_NAME = "zaphod-at-home.jpg"
_DIGITS_APART = re.compile(r"(?<=\d)[\s().-]+(?=\d)")


@dataclass(frozen=True)
class Person:
    """The personal data of somebody who comes by a door, as fields of a report and as typed in a text."""

    door: str
    number: int

    @property
    def email(self) -> str:
        return f"{self.door}@leak.example"

    @property
    def phone(self) -> str:
        return f"+1 617 555 01{self.number:02}"

    @property
    def account_id(self) -> str:
        return f"account-of-{self.door}"

    @property
    def device_id(self) -> str:
        return f"device-of-{self.door}"

    @property
    def reporter(self) -> dict[str, str]:
        """The standard's fields about who sends a report."""
        names = {"first_name": f"Firstname-{self.door}", "last_name": f"Lastname-{self.door}"}
        return names | {"email": self.email, "phone": self.phone} | self.ids

    @property
    def sender(self) -> dict[str, str]:
        """The fields about who sends an update."""
        return {name: value for name, value in self.reporter.items() if name != "device_id"}

    @property
    def ids(self) -> dict[str, str]:
        return {"device_id": self.device_id, "account_id": self.account_id}

    @property
    def typed(self) -> dict[str, str]:
        """Personal data in a text."""
        return {
            "mail": f"typed.{self.door}@leak.example",
            "phone": f"617-555-01{self.number + 50:02}",
            "iban": IBAN,
            "card": CARD,
            "plate": f"LKG {self.number:04}",
        }

    def text(self, part: str = "description") -> str:
        """A text for a public part. `seen` tells that it was published; the rest must not be."""
        typed = "Call {phone} or write to {mail}; refund to {iban}, paid with {card}, car {plate}.".format(
            **self.typed
        )
        return f"{self.seen(part)} at 1428 Elm. {typed}"

    def seen(self, part: str = "description") -> str:
        """What everybody reads of `text`."""
        return f"{SHOWN}-{self.door}-{part}"

    def secret(self, part: str = "description") -> str:
        """A text for a part that only staff may read."""
        return f"{HIDDEN}-{self.door}-{part} {self.text(part).partition(' ')[2]}"


def leaks(content: bytes | str, *people: Person) -> list[str]:
    """The personal data of these people that stand in some bytes, in any spelling."""
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    text = text.casefold()
    forms = "\n".join({text, unquote(text), html.unescape(text), unquote(html.unescape(text))})
    forms += "\n" + _DIGITS_APART.sub("", forms)
    wanted = [IBAN, CARD, FILE_NAME]
    wanted += [value for one in people for value in (*one.reporter.values(), *one.typed.values())]
    return [value for value in wanted if value.casefold() in forms or _digits(value) in forms]


def _digits(value: str) -> str:
    """A number without the marks between its digits; the value itself if it is no number."""
    found = _DIGITS_APART.sub("", value).removeprefix("+1")
    return found if len(re.findall(r"\d", found)) >= 10 else value.casefold()
