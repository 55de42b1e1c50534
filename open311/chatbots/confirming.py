"""The confirmation of a report: proof that the same report was shown before it is sent.

A confirmation is a time, and a digest of the time and the report, made with the api_key. The chatbot's model does
not know the key, so it cannot make a confirmation. No confirmation is stored, because every process with the key
can check it. A confirmation is valid for one report only, and for half an hour.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from open311.chatbots.city_api import ToolProblem

VALID_FOR = timedelta(minutes=30)
_AGAIN = "Show the draft to the person, and send the new confirmation after the person has said yes."


@dataclass(frozen=True, slots=True)
class Confirmations:
    """Makes and checks confirmations with an api_key."""

    api_key: str = field(repr=False)

    def issue(self, report: dict[str, Any], now: datetime) -> str:
        """A confirmation for a report. `report` is plain data."""
        stamp = format(int(now.timestamp()), "x")
        return f"{stamp}-{self._digest(report, stamp)}"

    def check(self, confirmation: str, report: dict[str, Any], now: datetime) -> str:
        """The idempotency key of a confirmed report. With this key, the report is stored only once.

        Raises ToolProblem if the confirmation belongs to another report or is too old.
        """
        stamp, _, digest = confirmation.partition("-")
        if not hmac.compare_digest(digest.encode(), self._digest(report, stamp).encode()):
            raise ToolProblem(
                "This confirmation does not belong to this report. Call report without a confirmation. " + _AGAIN
            )
        if now.timestamp() - int(stamp, 16) > VALID_FOR.total_seconds():
            raise ToolProblem("The confirmation is too old. Call report without a confirmation. " + _AGAIN)
        return digest

    def _digest(self, report: dict[str, Any], stamp: str) -> str:
        text = json.dumps([stamp, report], sort_keys=True)
        return hmac.new(self.api_key.encode(), text.encode(), sha256).hexdigest()[:40]
