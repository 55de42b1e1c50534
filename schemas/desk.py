"""The parameters of the pages for staff."""

from __future__ import annotations

from typing import Any

from schemas.parameters import (
    AnswersParameter,
    DistanceParameter,
    FlagParameter,
    LatitudeParameter,
    ListParameter,
    LongitudeParameter,
    RepeatedParameter,
    TextParameter,
)
from schemas.portal import PageArguments
from schemas.staff import (
    COMMANDS,
    DELIVERY_BODIES,
    MAX_BULK,
    MAX_NEARBY_M,
    DeliveryArguments,
    HeldPhotosArguments,
    QueueArguments,
)


class FormArguments(PageArguments):
    """The field that every form of a page for staff has."""

    form_token = TextParameter("Proves that a page of this session has made the form.")


class SignInArguments(PageArguments):
    """What the page of the sign-in says."""

    done = TextParameter("out: the reader has just signed out.", "out", default="")


class BeginSignInArguments(PageArguments):
    """How the provider asks."""

    again = TextParameter("1: the provider asks for the account, even if the reader is signed in there.", "1")


class ProviderAnswerArguments(PageArguments):
    """How an OpenID Connect provider leads a person back. Providers add parameters of their own."""

    tells_unknown = False

    code = TextParameter("The code of the sign-in.", default="", most_characters=4_000)
    state = TextParameter("The state of the sign-in.", default="", most_characters=4_000)
    iss = TextParameter("The issuer.", default="", most_characters=4_000)
    error = TextParameter("Why there is no code.", "access_denied", default="", most_characters=4_000)


class DeskQueueArguments(QueueArguments):
    """The filters and the page of the queue."""

    tells_unknown = False

    locale = PageArguments().parameters["locale"]
    done = TextParameter("The act that has just been done.", "transfer")


class FindArguments(PageArguments):
    """The request that is looked for."""

    id = TextParameter(
        "The id, token or number of a request, or its id in another system.", "8841", most_characters=200
    )


class ViewArguments(DeskQueueArguments):
    """Filters to keep under a name, or a view to delete."""

    form_token = FormArguments().parameters["form_token"]
    name = TextParameter("The name of the view.", "Parks, overdue", most_characters=200)
    go = TextParameter("save or delete.", "save")


class RequestPageArguments(PageArguments):
    """What a page says about the last act."""

    done = TextParameter("The act that has just been done.", "close")


def _texts_of_commands() -> dict[str, Any]:
    """A text for each field of each command. The schema of the command reads it."""
    names = dict.fromkeys(name for body in COMMANDS.values() for name in body().fields)
    return {name: TextParameter("A field of the command.") for name in names}


class CommandArguments(FormArguments.from_dict(_texts_of_commands())):  # type: ignore[misc]  # a class made at import
    """A command with its fields as texts."""

    do = TextParameter("The command.", "close")
    form_id = TextParameter("Identifies the form, so that it is carried out once even if it is sent twice.")


class OrderArguments(CommandArguments):
    """A command for one request."""

    version = TextParameter("The version of the request that the reader has seen.", "3")


class BulkPageArguments(CommandArguments):
    """A command for several requests."""

    pick = ListParameter("Numbers of requests, each with the version that was seen: 41:3.", "41:3", most=MAX_BULK)
    go = TextParameter("What the reader wants: fields, try or do.", "try")


class ReasonArguments(FormArguments):
    """Why something is done."""

    reason = TextParameter("Why.")


class NewPhotoForm(FormArguments):
    """Who may see a new photo. The photo itself is a file of the form."""

    public = FlagParameter("Whether everybody who sees the request sees the photo.", default=False)


class PhotoPageArguments(RequestPageArguments):
    """Where the reader goes after a decision about a photo."""

    back = TextParameter("photos: to the list of held photos. Otherwise to the request.", "photos")


class PhotoDecisionArguments(ReasonArguments):
    """A decision about a photo."""

    do = TextParameter("release, withdraw or blacken.", "release")
    back = TextParameter("photos: to the list of held photos. Otherwise to the request.", "photos")
    boxes = TextParameter("One box a line: left, top, right and bottom in percent of the picture.", "10 20 50 60")


class UpdateDecisionArguments(ReasonArguments):
    """A decision about an update that looks like abuse."""

    do = TextParameter("release or drop.", "drop")


class HeldPhotosPageArguments(HeldPhotosArguments):
    """The page of a list of held photos."""

    tells_unknown = False

    locale = PageArguments().parameters["locale"]
    done = TextParameter("The act that has just been done.", "release")


class NewKeyArguments(FormArguments):
    """A new key of an app."""

    label = TextParameter("Who the key is for.", "FixIt app", most_characters=1_000)
    contact = TextParameter("How to reach the owner of the key.", "dev@fixit.example", most_characters=1_000)
    test = FlagParameter("Whether requests are accepted, but never routed or listed.", default=False)
    updates = FlagParameter("Whether updates with the key count as the city's own.", default=False)
    staff = FlagParameter("Whether services for staff are open to the key.", default=False)
    things = ListParameter(
        "Ids of things: the key may only send their observations.", "elm-underpass", most=100, unit="things"
    )


class KeyPageArguments(PageArguments):
    """What the page of a key says about the last act."""

    done = TextParameter("The act that has just been done.", "suspend")


class KeyDecisionArguments(FormArguments):
    """A decision about a key."""

    do = TextParameter("notice, suspend, resume or revoke.", "suspend")
    text = TextParameter("What callers or users are told, or why the key is revoked.", most_characters=4_000)


class DeliveriesPageArguments(DeliveryArguments):
    """The filters and the page of a list of deliveries."""

    tells_unknown = False

    locale = PageArguments().parameters["locale"]


class DeliveryPageArguments(RequestPageArguments):
    """The page of a delivery."""


class DeliveryDecisionArguments(ReasonArguments):
    """A decision about a delivery."""

    do = TextParameter(f"One of {', '.join(DELIVERY_BODIES)}.", "retry")
    accept_risk = FlagParameter("Whether to send it again although it may be there already.", default=False)
    external_id = TextParameter("The request's id in the back office.", "W-88")


class WorkArguments(PageArguments):
    """The point around which a crew looks for work."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Latitude.", 60.1718)
    long = LongitudeParameter("Longitude.", 24.9414)
    radius = DistanceParameter("Metres around the point.", 500, most=MAX_NEARBY_M, default=500.0)
    done = TextParameter("The act that has just been done.", "close")


class FinishArguments(OrderArguments):
    """A request that a crew closes, with a photo of the work. The photo itself is a file of the form."""


class CataloguePageArguments(PageArguments):
    """What the page of texts and questions says about the last act."""

    done = TextParameter("The act that has just been done.", "saved")


class ItemPageArguments(PageArguments):
    """The item of the catalogue that is shown. A text may be named by its parts."""

    item = TextParameter("The item.", "service:en:potholes", most_characters=1_000)
    language = TextParameter("The language of a text.", "en", most_characters=50)
    outcome = TextParameter("When citizens read a text.", "fixed", most_characters=50)
    code = TextParameter("The service of a text; without it, all services.", "potholes", most_characters=500)


class ItemChangeArguments(FormArguments):
    """A change of an item of the catalogue."""

    do = TextParameter("save or drop.", "save")
    item = TextParameter("The item.", "service:en:potholes", most_characters=1_000)
    version = TextParameter("The version of the override that the reader has seen; 0 for none.", "0")
    texts = AnswersParameter("The fields of the form, each as attribute[NAME].")


class NewBlockArguments(FormArguments):
    """A new block."""

    kind = TextParameter("key, address, device or email.", "email")
    value = TextParameter("What is blocked.", "203.0.113.0/24", most_characters=1_000)
    reason = TextParameter("Why.", most_characters=1_000)
    days = TextParameter("After how many days the block ends; 0 for without end.", "90", most_characters=10)


class BlocksPageArguments(PageArguments):
    """What the page of blocks says about the last act."""

    done = TextParameter("The act that has just been done.", "added")


class PersonArguments(FormArguments):
    """The person whose data are meant, and what is done with them."""

    do = TextParameter("find, export, try or erase.", "find")
    email = TextParameter("An e-mail address.", most_characters=1_000)
    phone = TextParameter("A phone number.", most_characters=1_000)
    device_id = TextParameter("The id of a device.", most_characters=1_000)
    account_id = TextParameter("The id of an account with an app.", most_characters=1_000)
    reason = TextParameter("Why, without the name of the person.", most_characters=4_000)
    texts = FlagParameter("Whether texts and photos are erased too.", default=False)
    confirmed = TextParameter("The word that the reader has typed to confirm.", most_characters=100)


class ErasurePageArguments(PageArguments):
    """What else the page of an erasure says, sealed by this server."""

    told = TextParameter("What is not in the audit trail.", default="", most_characters=4_000)


class NoticesPageArguments(PageArguments):
    """The page of the list of notices."""

    cursor = TextParameter("Where the next page begins.")
    done = TextParameter("The act that has just been done.", "end")


NOTICE_SLOTS = 12
"""For how many languages the form of a notice has fields."""


def _notice_texts() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for slot in range(1, NOTICE_SLOTS + 1):
        found[f"language_{slot}"] = TextParameter("The language of a text.", "es")
        found[f"headline_{slot}"] = TextParameter("One line.", "No hay agua", most_characters=1_000)
        found[f"description_{slot}"] = TextParameter("More.", most_characters=10_000)
    return found


class NoticeForm(FormArguments.from_dict(_notice_texts())):  # type: ignore[misc]  # a class made at import
    """A new notice, or a change of one."""

    do = TextParameter("change or end; for a new notice, nothing.", "change")
    version = TextParameter("The version of the notice that the page has shown.", "1")
    service_code = RepeatedParameter("The services that it is about; none for all.", "potholes")
    area = TextParameter("The area that it is about.", "Harbour")
    polygon = TextParameter("A GeoJSON polygon that it is about.", most_characters=100_000)
    category = TextParameter("A category of CAP 1.2.", "Infra")
    severity = TextParameter("A severity of CAP 1.2.", "Minor")
    start_datetime = TextParameter("From when it is shown; now without it.", "2030-03-04T09:30")
    end_datetime = TextParameter("Until when it is shown.", "2030-03-05T09:30")
    reason = TextParameter("Why it ends.", most_characters=1_000)
