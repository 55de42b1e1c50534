"""Mail about requests: the page to which mails link, and the form by which people follow a request."""

from __future__ import annotations

from urllib.parse import quote

from open311.domain.mails import Feedback
from open311.errors import Invalid
from open311.operations.mailing import following
from open311.web.access import BY_LINK, PORTAL_FORM
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.gate import limit_portal
from open311.web.languages import caller_language
from open311.web.portal.rendering import page
from open311.web.surfaces import MAIL_PAGE, PORTAL
from schemas.portal import FollowArguments, MailPageArguments, PageArguments
from schemas.texts import Message, tell

DONE: dict[str, Message] = {
    "confirm": tell("Thank you. You get mail when something happens to this report."),
    "leave": tell("You get no more mail about this report."),
    "refuse": tell("You get no more mail from this city."),
    "answer": tell("Thank you for your answer. The city reads it."),
    "reopen": tell("The report is open again."),
}
"""What the page says after each thing that the reader can do there."""


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
    """The address of List-Unsubscribe for a reader without one-click: the same page, which has the button."""
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
    """End mail about a request by one click in the mail program (RFC 8058). It may be called twice."""
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
            raise Invalid(tell("is not an email address to which mail can be sent; correct it."), "email")
    return page(call, "followed.html", cache_control="no-store", has_tag=False, id=service_request_id)


def _feedback(text: str) -> Feedback:
    try:
        return Feedback(text)
    except ValueError:
        raise Invalid(tell("is unknown; choose one of the answers of the page."), "answer") from None


def _page(call: Call, secret: str, *, done: str = "") -> Answer:
    language = caller_language(call.request)
    shown = following.read_following(call.platform, call.city, secret, language=language, now=call.now)
    return page(
        call,
        "mail.html",
        cache_control="private, no-store",
        has_tag=False,
        shown=shown,
        done=DONE.get(done, ""),
        answers=Feedback,
        here=f"{call.request.root_path}{MAIL_PAGE.prefix}/{quote(call.city.id, safe='')}/{secret}",
    )
