"""Mail about requests: the page to which mails link, and the forms by which people follow a request or a filter."""

from __future__ import annotations

from urllib.parse import quote

from open311.domain.mails import Feedback
from open311.errors import Invalid
from open311.operations.mailing import following
from open311.operations.mailing.following import FollowingFilter
from open311.operations.subscriptions.by_mail import subscribe_by_mail
from open311.web.access import BY_LINK, PORTAL_FORM
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.gate import limit_portal
from open311.web.languages import caller_language
from open311.web.portal.rendering import page
from open311.web.surfaces import MAIL_PAGE, PORTAL
from schemas.portal import FollowArguments, FollowFilterArguments, MailPageArguments, PageArguments
from schemas.texts import Message, tell

NO_MAILBOX = tell("is not an email address to which mail can be sent; correct it.")
DONE: dict[str, Message] = {
    "confirm": tell("Thank you. You get mail when something happens to this report."),
    "leave": tell("You get no more of these mails."),
    "refuse": tell("You get no more mail from this city."),
    "answer": tell("Thank you for your answer. The city reads it."),
    "reopen": tell("The report is open again."),
    "support": tell("Thank you. The city sees that this is your problem too."),
    "unsupport": tell("You are not counted any more."),
}
"""What the page says after each button on it."""
DONE_FOR_FILTERS: dict[str, Message] = {
    "confirm": tell("Thank you. You get mail about these reports for a year."),
    "daily": tell("You get this mail once a day at most."),
    "hourly": tell("You get this mail once an hour at most."),
}
"""The same for mail about the requests of a filter."""


@endpoint(
    MAIL_PAGE,
    "/<jurisdiction_id>/<secret>",
    reads=MailPageArguments,
    access=BY_LINK,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def mail_page(call: Call, secret: str) -> Answer:
    """The page to which a mail links. It changes nothing: programs that check mails open each link."""
    return _page(call, secret)


@endpoint(
    MAIL_PAGE,
    "/<jurisdiction_id>/<secret>",
    reads=MailPageArguments,
    access=BY_LINK,
    method="POST",
    city=City.IN_PATH,
    output=PageFormat.HTML,
    errors=(409,),
)
def send_mail_page(call: Call, secret: str) -> Answer:
    """Do what the reader of a mail has chosen on its page. The secret in the address is the proof."""
    platform, city, now = call.platform, call.city, call.now
    wanted = call.values["do"]
    match wanted:
        case "confirm":
            following.confirm(platform, city, secret, now=now)
        case "leave":
            following.leave(platform, city, secret)
        case "refuse":
            following.refuse(platform, city, secret, now=now)
        case "answer":
            following.answer(platform, city, secret, _feedback(call.values["answer"]), now=now)
        case "reopen":
            following.reopen(platform, city, secret, now=now)
        case "support" | "unsupport":
            following.support(platform, city, secret, is_taken_back=wanted == "unsupport", now=now)
        case "daily" | "hourly":
            following.choose_pace(platform, city, secret, is_daily=wanted == "daily")
        case _:
            raise Invalid(tell("is unknown; use a button of the page."), "do")
    return _page(call, secret, done=wanted)


@endpoint(
    MAIL_PAGE,
    "/<jurisdiction_id>/<secret>/leave",
    reads=PageArguments,
    access=BY_LINK,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def leave_page(call: Call, secret: str) -> Answer:
    """The address of List-Unsubscribe, for mail programs without one-click: the same page, which has the button."""
    return _page(call, secret)


@endpoint(
    MAIL_PAGE,
    "/<jurisdiction_id>/<secret>/leave",
    reads=MailPageArguments,
    access=BY_LINK,
    method="POST",
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def leave_at_once(call: Call, secret: str) -> Answer:
    """End mail about a request or a filter by one click in the mail program (RFC 8058). It may be called twice."""
    following.leave(call.platform, call.city, secret)
    return _page(call, secret, done="leave")


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/requests/<code:service_request_id>/follow",
    reads=FollowArguments,
    access=PORTAL_FORM,
    method="POST",
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def follow_request(call: Call, service_request_id: str) -> Answer:
    """Follow a request by mail. The page says the same whether or not the address follows it already."""
    limit_portal(call.request.environ)
    if not call.values["website"]:
        is_usable = following.follow(
            call.platform,
            call.city,
            service_request_id,
            call.values["email"].strip(),
            language=caller_language(call.request),
            now=call.now,
        )
        if not is_usable:
            raise Invalid(NO_MAILBOX, "email")
    return page(call, "followed.html", cache_control="no-store", has_tag=False, id=service_request_id)


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/follow",
    reads=FollowFilterArguments,
    access=PORTAL_FORM,
    method="POST",
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def follow_filter(call: Call) -> Answer:
    """Get mail about all requests of a filter. The page says the same whether or not the address has it already."""
    limit_portal(call.request.environ)
    if not call.values["website"]:
        is_usable = subscribe_by_mail(
            call.platform,
            call.city,
            call.values["email"].strip(),
            call.values,
            is_daily=call.values["how_often"] == "daily",
            language=caller_language(call.request),
            now=call.now,
        )
        if not is_usable:
            raise Invalid(NO_MAILBOX, "email")
    return page(call, "subscribed.html", cache_control="no-store", has_tag=False)


def _feedback(text: str) -> Feedback:
    try:
        return Feedback(text)
    except ValueError:
        raise Invalid(tell("is unknown; choose one of the answers of the page."), "answer") from None


def _page(call: Call, secret: str, *, done: str = "") -> Answer:
    language = caller_language(call.request)
    shown = following.read_following(call.platform, call.city, secret, language=language, now=call.now)
    is_filter = isinstance(shown, FollowingFilter)
    told = DONE | DONE_FOR_FILTERS if is_filter else DONE
    return page(
        call,
        "mail_filter.html" if is_filter else "mail.html",
        cache_control="private, no-store",
        has_tag=False,
        shown=shown,
        done=told.get(done, ""),
        answers=Feedback,
        here=f"{call.request.root_path}{MAIL_PAGE.prefix}/{quote(call.city.id, safe='')}/{secret}",
    )
