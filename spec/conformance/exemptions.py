"""Requirements that no check from outside can prove, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXEMPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "B8": "nobody outside can take the database away in the middle of a download",
        "B9": "it would take as many downloads at once as the server bears, and others would be sent away",
        "D7": "how many days are kept is the operator's own setting",
    }
)
