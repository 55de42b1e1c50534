"""Requirements that a black-box check cannot prove, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXEMPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "B8": "a check from outside cannot stop the database during a download",
        "B9": "the check would use all download threads of the server, and other clients would be refused",
        "O5": "a check from outside cannot wait for the turn of a season",
        "D7": "the number of days is a setting of the operator, which a check cannot see",
        "U3": "a check from outside cannot import a change that happened earlier",
        "U6": "a check cannot make 20,000 updates",
    }
)
