"""Updates that came from back offices: the state of each update, and the order in which they happened."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from open311.domain.workflow import MEANINGS, State

MOST_CHARACTERS_OF_NAMES = 255
"""The most characters of an update_id, of an id of a case and of a status. Longer ones are cut."""


FROM_CONTENT = "content:"
"""If an update has no update_id, this server derives one from the content. It begins with this text."""


KEEP = timedelta(days=365)
"""How long an update is kept that is settled, or whose request is unknown. A back office may send it again later,
so updates that are older than this are not accepted."""


class UpdateState(StrEnum):
    """The state of an update.

    NEW          the update is stored, but not applied yet
    APPLIED      the update has changed the request
    NO_CHANGE    the request already is as the update says, or its state does not allow the change
    IGNORED      the city ignores this status, or a person has dropped the update
    ECHO         the update repeats what this server has sent
    LATE         newer updates of the same request came first, so only the text of the update was kept
    QUARANTINED  a person has to look at the update, because it cannot be read or names no request
    """

    NEW = "new"
    APPLIED = "applied"
    NO_CHANGE = "no_change"
    IGNORED = "ignored"
    ECHO = "echo"
    LATE = "late"
    QUARANTINED = "quarantined"


UNDERSTOOD = (UpdateState.APPLIED, UpdateState.NO_CHANGE, UpdateState.LATE)
"""The states of updates that count when the order of a request's updates is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpdate:
    """An update of a back office, as it is stored.

    number       the number of the request; 0 while none is known for it
    version      the version of the request after the update; 0 if the request did not change
    status       the back office's own word
    at           when the update happened, by the clock of the back office; None if the update has no time
    received_at  when this server got the update
    due_at       when the update is tried next; None if it is not tried again
    is_snapshot  whether the update gives the present state of the case, and not an event
    is_unreadable  whether the update could not be read; its description is then the raw update, which is never
                 published
    digest       the digest of the status and text of a snapshot, which stays when they are erased; "" for other
                 updates
    attempts     how often the update was tried
    cause        a sentence that says why the update has its state; "" if no reason is needed
    """

    jurisdiction_id: str
    backend: str
    update_id: str
    received_at: datetime
    id: int = 0
    remote_id: str = ""
    reference: str = ""
    number: int = 0
    version: int = 0
    state: UpdateState = UpdateState.NEW
    status: str = ""
    description: str = field(default="", repr=False)
    media_urls: tuple[str, ...] = ()
    at: datetime | None = None
    due_at: datetime | None = None
    is_snapshot: bool = False
    is_unreadable: bool = False
    digest: str = ""
    attempts: int = 0
    cause: str = ""


Order = tuple[datetime, int, int, str]


def order_of(update: StoredUpdate, word: str) -> Order:
    """The sort key of an update, among the updates of the same request and back office.

    word  mySociety's word for the status of the update

    Many servers give times only in seconds or days. So updates of the same instant are ordered by the number at the
    end of their id; without such numbers, by how far the work is.
    """
    counted = re.fullmatch(r"\D*(\d{1,18})", update.update_id, re.ASCII)
    meaning = MEANINGS.get(word)
    rank = list(State).index(meaning.state) if meaning else -1
    at = (update.at or update.received_at).astimezone(UTC)
    own_id = "" if update.update_id.startswith(FROM_CONTENT) else update.update_id
    return at, int(counted[1]) if counted else 0, rank, own_id


def word_in(status: str) -> str:
    """A back office's status as one of mySociety's words, if it is one: `In Progress` is `in_progress`."""
    return re.sub(r"[\s-]+", "_", status.strip().lower())
