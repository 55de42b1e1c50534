"""The kinds of personal data, and a place in a text where one was found."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class DataKind(StrEnum):
    """A kind of personal data. PLATE: a vehicle's licence plate. IBAN: a bank account. CARD: a bank card."""

    EMAIL = "email"
    PHONE = "phone"
    IBAN = "iban"
    CARD = "card"
    PLATE = "plate"


class Hit(NamedTuple):
    """A part of a text that looks like personal data: `text[start:end]`."""

    kind: DataKind
    start: int
    end: int
