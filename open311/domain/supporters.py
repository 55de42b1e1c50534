"""People who say "me too" about a request. Only a digest of what names them is stored (decision 0049)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from open311.domain.people import Person

NO_KEY = 0
"""The number of the api_key of people who use a page or the link of a mail."""


class SupporterKind(StrEnum):
    """What names a supporter.

    ACCOUNT  the id that an app gives for its user
    DEVICE   the id that an app gives for a device
    EMAIL    an e-mail address: one that an app sends, or that of a follower who has the link of a mail
    BROWSER  the random text in the cookie of a browser
    """

    ACCOUNT = "account_id"
    DEVICE = "device_id"
    EMAIL = "email"
    BROWSER = "browser"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supporter:
    """Who supports a request, as a call tells it.

    value       names the person for the app, or for this server
    api_key_id  the number of the app's key, because equal values of two apps are two people; NO_KEY without an app
    """

    kind: SupporterKind
    value: str = field(repr=False)
    api_key_id: int = NO_KEY

    def digest(self, key: str, jurisdiction_id: str) -> bytes:
        """What is stored of the person. Without the key, nobody can find out whose digest it is."""
        return digest_of(key, jurisdiction_id, self.kind, self.value)


def digest_of(key: str, jurisdiction_id: str, kind: SupporterKind, value: str) -> bytes:
    """The digest of a person in a city, with 128 bits. The case of an e-mail address makes no difference."""
    plain = value.casefold() if kind is SupporterKind.EMAIL else value
    parts = ("supporter", jurisdiction_id, kind, plain)
    return hmac.digest(key.encode(), "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256")[:16]


def digests_of(key: str, jurisdiction_id: str, person: Person) -> list[bytes]:
    """The digests that a person may have in a city, with any app."""
    return [digest_of(key, jurisdiction_id, kind, value) for kind, value in _named(person)] if key else []


def _named(person: Person) -> Iterator[tuple[SupporterKind, str]]:
    for kind in SupporterKind:
        value = getattr(person, kind, "")
        if value:
            yield kind, value
