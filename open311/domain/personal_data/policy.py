"""A city's policy for personal data in public texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from hashlib import blake2b

from open311.domain.personal_data.finding import find_personal_data, may_hold_any
from open311.domain.personal_data.folding import fold
from open311.domain.personal_data.kinds import DataKind, Hit

_MARK_DIGITS = 6
_LEAST_OWN_DIGITS = 7
"""Two numbers are the same if one ends with the other, and the shorter one has at least this many digits. Then the
longer one only has the code of an area or a country in addition."""


class Treatment(StrEnum):
    """What happens to personal data in a text that becomes public.

    MASK  a marker is shown in its place
    HOLD  a marker is shown in its place, and a new request with it is shown only after a person has released it
    SHOW  it is shown as typed
    """

    MASK = "mask"
    HOLD = "hold"
    SHOW = "show"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatments:
    """What happens to each kind in the requests of one service; None for the same as in the whole city."""

    email: Treatment | None = None
    phone: Treatment | None = None
    iban: Treatment | None = None
    card: Treatment | None = None
    plate: Treatment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What is personal data in a city, and what happens to it.

    phone_region   the country whose phone numbers are written without `+`; "" for none
    plate_pattern  a regular expression of licence plates; "" not to look for plates
    own            addresses and numbers of the city itself, which are never masked; `@city.example` is each address
                   of this domain
    """

    email: Treatment = Treatment.MASK
    phone: Treatment = Treatment.MASK
    iban: Treatment = Treatment.MASK
    card: Treatment = Treatment.MASK
    plate: Treatment = Treatment.MASK
    phone_region: str = ""
    plate_pattern: str = ""
    own: tuple[str, ...] = ()

    def treatment(self, kind: DataKind) -> Treatment:
        """What happens to a kind."""
        found: Treatment = getattr(self, kind)
        return found

    def with_treatments(self, changed: Treatments | None) -> Privacy:
        """The policy for a service."""
        if changed is None:
            return self
        named = {one.name: getattr(changed, one.name) for one in fields(changed)}
        return replace(self, **{name: value for name, value in named.items() if value is not None})

    def with_own(self, texts: Iterable[str]) -> Privacy:
        """The policy that shows all addresses and numbers in these texts, as if they were the city's own."""
        found = (text[hit.start : hit.end] for text in texts for hit in self.all_in(text))
        return replace(self, own=(*self.own, *found))

    def hits_in(self, text: str) -> Iterator[Hit]:
        """The personal data in a text, without what the policy shows, in their order."""
        for hit in self.all_in(text):
            is_own = _is_own(text[hit.start : hit.end], hit.kind, self.own)
            if self.treatment(hit.kind) is not Treatment.SHOW and not is_own:
                yield hit

    def may_be_in(self, texts: Iterable[str]) -> bool:
        """A quick first look: whether one of these texts may have personal data. False is certain."""
        return bool(self.plate_pattern) or may_hold_any(texts)

    def all_in(self, text: str) -> list[Hit]:
        """All personal data in a text, in their order."""
        return find_personal_data(text, region=self.phone_region, plates=self.plate_pattern)


def mark_of(text: str, salt: str) -> str:
    """A mark by which a text is recognised, also if it is written with other signs or blanks.

    salt  makes the marks of one request useless for others

    A mark is a digest of 24 bits. Hundreds of phone numbers have the same one, so nobody can read a number from it.
    """
    return blake2b(_plain(text).encode(), key=salt.encode()[:64]).hexdigest()[:_MARK_DIGITS]


def _plain(text: str) -> str:
    """The text in lower case. Only an e-mail address keeps the signs between its letters and digits."""
    folded = fold(text).text.casefold()
    return folded if "@" in folded else "".join(filter(str.isalnum, folded))


def _is_own(text: str, kind: DataKind, own: Iterable[str]) -> bool:
    plain = _plain(text)
    for one in map(_plain, own):
        if plain == one or (kind is DataKind.EMAIL and one.startswith("@") and plain.endswith(one)):
            return True
        if kind is DataKind.PHONE and _is_same_number(plain, one):
            return True
    return False


def _is_same_number(one: str, other: str) -> bool:
    """Whether one of two numbers ends with the other, such as with and without the code of the country."""
    short, long = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return len(short) >= _LEAST_OWN_DIGITS and long.endswith(short)
