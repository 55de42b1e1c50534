"""The button "me too" on the pages of requests, and what follows it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from urllib.parse import quote

from limits import RateLimitItemPerDay
from werkzeug.exceptions import TooManyRequests

from open311.domain.abuse import network_of
from open311.domain.supporters import Supporter, SupporterKind
from open311.operations.access.blocks import note_block_version
from open311.operations.mailing.rules import mails_followers
from open311.operations.workflow import supporting
from open311.operations.workflow.supporting import Support
from open311.web.access import PORTAL_FORM
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.gate import limit_portal
from open311.web.portal.rendering import Frame, page
from open311.web.session_cookies import browser_cookie, new_browser, read_browser
from open311.web.surfaces import PORTAL
from schemas.portal import SupportPageArguments

MOST_FROM_ADDRESS = (RateLimitItemPerDay(20),)
"""How often a day the button of one request can be pressed from one network address.

The cookie alone is no limit, because a person can delete it and press again.
"""
MOST_ID_CHARACTERS = 60
_ONE = "/<jurisdiction_id>/requests/<code:service_request_id>/support"


@endpoint(
    PORTAL,
    _ONE,
    reads=SupportPageArguments,
    access=PORTAL_FORM,
    method="POST",
    city=City.IN_PATH,
    output=PageFormat.HTML,
    errors=(409,),
)
def support_on_page(call: Call, service_request_id: str) -> Answer:
    """Say "me too" about a request. A second press changes nothing, because the cookie identifies the browser."""
    limit_portal(call.request.environ)
    _limit_address(call, service_request_id)
    note_block_version(call.platform)
    known = read_browser(call.request)
    browser = known or new_browser()
    found = supporting.support(
        call.platform,
        call.city,
        service_request_id,
        Supporter(kind=SupporterKind.BROWSER, value=browser),
        principal=call.caller,
        now=call.now,
        sender=replace(call.sender(), is_caught=bool(call.values["website"])),
    )
    return _page(call, found, browser)


@endpoint(
    PORTAL,
    f"{_ONE}/remove",
    reads=SupportPageArguments,
    access=PORTAL_FORM,
    method="POST",
    city=City.IN_PATH,
    output=PageFormat.HTML,
    errors=(409,),
)
def remove_support_on_page(call: Call, service_request_id: str) -> Answer:
    """Take a "me too" back. Without the cookie, nothing changes, because nobody knows whose it was."""
    browser = read_browser(call.request)
    person = Supporter(kind=SupporterKind.BROWSER, value=browser or new_browser())
    found = supporting.take_back(call.platform, call.city, service_request_id, person, principal=call.caller)
    return _page(call, found, browser)


def _limit_address(call: Call, service_request_id: str) -> None:
    """Count a press from an address. Raises TooManyRequests above MOST_FROM_ADDRESS.

    If the setting portal_rate is blank, nothing is counted.
    """
    address = call.sender().address
    if not call.platform.settings.portal_rate or not address:
        return
    digest = sha256(network_of(address).encode()).hexdigest()
    wait_s = call.platform.process.rates.wait_s(
        MOST_FROM_ADDRESS, "support", call.city.id, service_request_id[:MOST_ID_CHARACTERS], digest
    )
    if wait_s:
        raise TooManyRequests(retry_after=wait_s)


def _page(call: Call, found: Support, browser: str) -> Answer:
    """The page after a press: whether the person is counted, and a form to follow the request by mail."""
    frame = Frame(call.request, call.city)
    path = f"requests/{quote(found.service_request_id, safe='')}"
    is_followed = found.is_given and mails_followers(call.platform.settings, call.city)
    return page(
        call,
        "supported.html",
        cache_control="private, no-store",
        has_tag=False,
        headers=[browser_cookie(call.request, browser, call.city.id)] if browser else [],
        id=found.service_request_id,
        supporters=found.supporters,
        is_given=found.is_given,
        follow=frame.link(f"{path}/follow") if is_followed else "",
        support=frame.link(f"{path}/support"),
        remove=frame.link(f"{path}/support/remove"),
    )
