"""The words of pages for staff: for commands, their fields, and the codes of states, outcomes and priorities."""

from __future__ import annotations

from collections.abc import Mapping

from open311.plugins import Jurisdiction
from schemas.texts import Message, tell

COMMAND_GROUPS: Mapping[Message, tuple[str, ...]] = {
    tell("Work"): ("acknowledge", "start", "schedule", "hold", "close", "reopen", "release", "show"),
    tell("Who does it"): ("assign", "transfer", "prioritise", "change_service", "reschedule"),
    tell("Words"): ("note", "ask_reporter", "correct"),
    tell("More"): ("merge", "unmerge", "hide"),
}
"""The commands in the groups of a request's page. `mask` and `unmask` are elsewhere, beside the texts."""

COMMANDS: Mapping[str, Message] = {
    "assign": tell("Give it to a person"),
    "transfer": tell("Give it to another department"),
    "prioritise": tell("Set the priority"),
    "acknowledge": tell("Say that it was seen"),
    "start": tell("Start the work"),
    "schedule": tell("Plan a visit"),
    "reschedule": tell("Move a date"),
    "hold": tell("Put it on hold"),
    "close": tell("Close"),
    "reopen": tell("Open it again"),
    "note": tell("Write a note"),
    "ask_reporter": tell("Ask the reporter"),
    "merge": tell("Merge it into another request"),
    "unmerge": tell("Undo the merge"),
    "change_service": tell("Change the service"),
    "hide": tell("Hide it from the public"),
    "show": tell("Show it to the public again"),
    "release": tell("Release it to the public"),
    "correct": tell("Correct the report"),
    "unmask": tell("Show this text to the public"),
    "mask": tell("Mask this text again"),
}

FIELDS: Mapping[str, Message] = {
    "account": tell("Person"),
    "department": tell("Department"),
    "priority": tell("Priority"),
    "detail": tell("The city's own state"),
    "visit": tell("Day and time of the visit"),
    "expected": tell("Should be done by"),
    "outcome": tell("How it ended"),
    "note": tell("What the public reads"),
    "text": tell("Text"),
    "public": tell("Everybody may read it"),
    "into": tell("Number of the other request"),
    "service_code": tell("Service"),
    "description": tell("Description"),
    "address": tell("Address"),
    "lat": tell("Latitude"),
    "long": tell("Longitude"),
    "reason": tell("Reason"),
}
HINTS: Mapping[str, Message] = {
    "note": tell("If it is empty, the public reads the city's usual text."),
    "reason": tell("Only staff read it."),
}
QUESTION_HINT = tell("Everybody can read the question.")

STATES: Mapping[str, Message] = {
    "received": tell("Received"),
    "triage": tell("Without a department"),
    "assigned": tell("Assigned"),
    "acknowledged": tell("Seen"),
    "in_progress": tell("In progress"),
    "scheduled": tell("Visit planned"),
    "on_hold": tell("On hold"),
    "closed": tell("Closed"),
}
OUTCOMES: Mapping[str, Message] = {
    "fixed": tell("Solved"),
    "not_found": tell("Not found at the place"),
    "no_violation": tell("No rule is broken"),
    "referred": tell("Passed on"),
    "not_responsible": tell("The city is not responsible"),
    "duplicate": tell("Reported before"),
    "no_access": tell("The place could not be reached"),
    "cannot_do": tell("Nothing can be done"),
    "withdrawn": tell("Withdrawn"),
    "unknown": tell("Unknown"),
}
PRIORITIES: Mapping[str, Message] = {
    "low": tell("Low"),
    "normal": tell("Normal"),
    "high": tell("High"),
    "urgent": tell("Urgent"),
}
ROLES: Mapping[str, Message] = {
    "reader": tell("Reader"),
    "agent": tell("Agent"),
    "dispatcher": tell("Dispatcher"),
    "admin": tell("Admin"),
}
VISIBILITIES: Mapping[str, Message] = {
    "public": tell("Everybody sees it."),
    "held": tell("The public does not see it until it is released."),
    "unlisted": tell("Everybody who has its number sees it."),
    "private": tell("Only staff see it, because the service is private."),
    "withdrawn": tell("It was hidden, so only staff see it."),
}
DUES: Mapping[str, Message] = {
    "overdue": tell("Overdue"),
    "soon": tell("Due soon"),
    "later": tell("Due"),
}
OVERDUES: Mapping[str, Message] = {
    "true": tell("Overdue"),
    "soon": tell("Due soon"),
    "false": tell("Not overdue"),
}
PHOTO_STATES: Mapping[str, Message] = {
    "arriving": tell("arriving"),
    "waiting": tell("not prepared yet"),
    "ready": tell("shown"),
    "held": tell("held until a person decides"),
    "refused": tell("refused"),
    "withdrawn": tell("withdrawn"),
    "blackened": tell("as it was before it was blackened"),
}
DELIVERY_STATES: Mapping[str, Message] = {
    "waiting": tell("waits for its turn"),
    "sending": tell("is being sent"),
    "pending": tell("waits for an answer"),
    "uncertain": tell("uncertain: somebody has to decide"),
    "parked": tell("stopped: somebody has to decide"),
    "done": tell("done"),
    "skipped": tell("skipped"),
}
DECISIONS: Mapping[str, Message] = {
    "retry": tell("Send it now"),
    "park": tell("Stop it"),
    "skip": tell("Do not send it"),
}
EVENTS: Mapping[str, Message] = {
    "areas": tell("Areas were found"),
    "assigned": tell("Given to a person"),
    "comment": tell("Comment"),
    "corrected": tell("The report was corrected"),
    "dropped_comment": tell("An update was dropped"),
    "erased": tell("Personal data were erased"),
    "example": tell("Made up as an example"),
    "expected": tell("Should be done by"),
    "feedback": tell("Answer to whether the problem is solved"),
    "former_notes": tell("Earlier text for the public"),
    "held_comment": tell("An update is held"),
    "imported": tell("Imported"),
    "internal_note": tell("Note for staff"),
    "mask": tell("Masking was changed"),
    "merged": tell("Merged into another request"),
    "note": tell("Text for the public"),
    "outside": tell("Outside of the city's map"),
    "photo_added": tell("A photo was added"),
    "photo_blackened": tell("Parts of a photo were blackened"),
    "photo_copied": tell("A photo was copied"),
    "photos": tell("Photos were prepared"),
    "photos_released": tell("Photos were released"),
    "photos_withdrawn": tell("Photos were withdrawn"),
    "priority": tell("Priority"),
    "progress": tell("State of the work"),
    "public_comment": tell("Comment of somebody outside"),
    "question": tell("Question to the reporter"),
    "received": tell("Received"),
    "rejected": tell("Not accepted"),
    "resolved": tell("Got its number"),
    "routed": tell("Given to a department by a rule"),
    "service": tell("Service"),
    "status": tell("Status"),
    "suspected": tell("It looks like abuse"),
    "transferred": tell("Given to another department"),
    "triage": tell("No rule found a department"),
    "unmerged": tell("The merge was undone"),
    "visibility": tell("What the public sees"),
    "visit": tell("Visit"),
}
FEEDBACK: Mapping[str, Message] = {"solved": tell("Yes"), "partly": tell("In part"), "not_solved": tell("No")}
"""What a reporter answers to whether the problem is solved."""
ACTS: Mapping[str, Message] = {
    "photo": tell("The photo was added. It is shown here once it is prepared."),
    "release": tell("Released."),
    "withdraw": tell("Withdrawn."),
    "blacken": tell("The parts of the photo are black now."),
    "drop": tell("Dropped."),
    "save": tell("The view was saved."),
    "delete": tell("The view was deleted."),
    "retry": tell("The delivery is sent now."),
    "park": tell("The delivery was stopped."),
    "skip": tell("The delivery will not be sent."),
}
"""What the page after an act says, unless the act is a command."""


SEVERITIES: Mapping[str, Message] = {
    "Extreme": tell("Extreme danger"),
    "Severe": tell("Severe danger"),
    "Moderate": tell("Moderate"),
    "Minor": tell("Minor"),
    "Unknown": tell("Not known"),
}
"""How serious the subject of a notice is."""
NOTICE_STATES: Mapping[str, Message] = {
    "planned": tell("Planned"),
    "current": tell("Shown now"),
    "past": tell("Over"),
}
NOTICE_ACTS: Mapping[str, Message] = {
    "add": tell("The notice was added. Everybody reads it within seconds of its beginning."),
    "change": tell("The notice was changed."),
    "end": tell("The notice has ended."),
}
KEY_ACTS: Mapping[str, Message] = {
    "notice": tell("The notice was saved."),
    "suspend": tell("The key is suspended. Calls with it are refused."),
    "resume": tell("The key is accepted again."),
    "revoke": tell("The key is revoked."),
}
MOMENTS: Mapping[str, Message] = {
    **OUTCOMES,
    "merged": tell("Merged into another request"),
    "unmerged": tell("The merge was undone"),
    "reopened": tell("Opened again"),
    "scheduled": tell("Visit planned"),
}
"""When citizens read a text of the city: the outcomes, and the moments that are no outcome."""

STANDINGS: Mapping[str, Message] = {
    "applied": tell("It counts."),
    "changed": tell("It counts, but the city's files say something else now than when it was written."),
    "equal": tell("The city's files say the same now, so it is not needed any more."),
    "gone": tell("It does not count, because the city's files do not have this any more."),
    "misfit": tell("It does not count, because it does not fit the city's files any more."),
    "off": tell("It does not count, because the city's files do not allow it any more."),
}
"""How a text that an admin has changed compares with the files of the city."""
OVERRIDE_ACTS: Mapping[str, Message] = {
    "saved": tell("Saved. Everybody sees it within some seconds."),
    "dropped": tell("The city's files count again."),
    "same": tell("Nothing has changed."),
}
BLOCK_KINDS: Mapping[str, Message] = {
    "email": tell("E-mail address"),
    "device": tell("Device"),
    "address": tell("Network address, or a range of them"),
    "key": tell("Number of a key"),
}
BLOCK_ACTS: Mapping[str, Message] = {
    "added": tell("The sender is blocked. New reports are held until somebody has looked at them."),
    "removed": tell("The block was removed. Reports that are held stay held until somebody releases them."),
}
PERSON_FIELDS: Mapping[str, Message] = {
    "email": tell("E-mail address"),
    "phone": tell("Phone number"),
    "device_id": tell("Id of the device"),
    "account_id": tell("Id of the account with an app"),
}
"""The fields by which a person is found."""
ERASE = tell("erase")
"""The word that confirms an erasure."""


def done_of(act: str) -> Message | None:
    """What the page after an act says; None for an unknown act."""
    if act in COMMANDS:
        return tell("Done: {command}.", command=COMMANDS[act])
    return ACTS.get(act)


def state_names(city: Jurisdiction) -> dict[str, str]:
    """The names of the states in a city, which may have names of its own."""
    own = {str(one.state): one.name for one in city.states if not one.code and one.name}
    return {**STATES, **own}
