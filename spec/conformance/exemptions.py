"""Requirements that a black-box check cannot prove, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXEMPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "B8": "a check from outside cannot stop the database during a download",
        "B9": "the check would use all download threads of the server, and other clients would be refused",
        "G3": "a check cannot send 500 requests at one place",
        "G5": "a check cannot choose a place at the edge of a tile that is in the city",
        "H7": "a check cannot know of which months a city has no data",
        "M6": "only staff can hide a request or withdraw a photo",
        "M9": "held photos are released by staff, and the rule is a setting of the city",
        "M10": "only staff can blacken parts of a photo",
        "M11": "copies are a setting of the city, and a check has no photo elsewhere",
        "O5": "a check from outside cannot wait until a season begins or ends",
        **dict.fromkeys(
            ("R2", "R3", "R4", "R5", "R7"),
            "only staff can write a notice, and a check cannot know what a city tells",
        ),
        "D7": "the number of days is a setting of the operator, which a check cannot see",
        "E7": "what is masked is the policy of a city, and another server may show everything",
        **dict.fromkeys(
            (f"W{number}" for number in range(4, 14)), "a check has no receiver that the server may call"
        ),
        **dict.fromkeys(("SM2", "SM3"), "a check has no phone, and no gateway of the city"),
        "Z3": "a check has one key only, and cannot see what is stored",
        "X3": "the words that sound like an emergency are a setting of the city",
        "SN5": "which observations make requests is a rule of the city",
        "U3": "a check from outside cannot import a change that happened earlier",
        "OB5": "a check cannot change an item, and cannot know which of its changes others have made",
        "U6": "a check cannot make 20,000 updates",
    }
)
