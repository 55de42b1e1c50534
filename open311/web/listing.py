"""One list call: its search, the page that answers it, and the links to other pages (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from open311.domain.access import Principal
from open311.domain.cursors import PageCursor
from open311.domain.search import RequestSearch
from open311.errors import Invalid
from open311.formats import Format
from open311.operations.reading.find_requests import Page, count_requests, find_own, find_requests, find_validator
from open311.operations.reading.searches import cut_dates, read_search, unknown_department, unseen_id
from open311.storage.failures import unavailable
from open311.web.access import find_partner, require_partner
from open311.web.calls import Answer, Call, unchanged
from open311.web.links import page_url
from open311.web.parsing import MOST_REMEMBERED_BYTES
from schemas.texts import Message


@dataclass(frozen=True, slots=True)
class Listing:
    """A list call and its search.

    partner  the partner that also gets its own ids of requests; None for all other callers
    """

    call: Call
    search: RequestSearch
    partner: Principal | None = None

    @classmethod
    def of(cls, call: Call) -> Listing:
        """Make the search of a call. Raises Invalid for faulty parameters.

        Raises NotFound for an unknown service if the operator wants 404 for it. If the call searches for an id that
        a partner has given to a request, also raises what `require_partner` raises.

        Searches are cached. The cache key has `now` in whole seconds, so a query is read again each second.
        """
        settings = call.platform.settings
        is_short = len(call.request.query_string) <= MOST_REMEMBERED_BYTES  # longer queries are not cached
        read = call.platform.process.cached(read_search) if is_short else read_search
        search = read(call.values, call.city, now=call.now, policy=settings.span_policy, problems=call.problems)
        if call.values["service_request_id_ext"]:
            return cls(call, *_own_search(call))
        if settings.unknown_service_is_404:
            for code in search.service_codes or ():
                call.city.require_shown(code)
        has_own_ids = bool(call.values["extensions"]) and isinstance(call.output, Format)
        return cls(call, search, find_partner(call.platform, call.request, call.city) if has_own_ids else None)

    def answer(
        self,
        body: Callable[[Page, int | None], bytes],
        *,
        rendered: Format | None = None,
        shows_total: bool = False,
    ) -> Answer:
        """The page that the call asks for.

        body         makes the document from a page and from the number of items on all pages, or None if that
                     number is unknown
        rendered     the format of the page's items, if it is not the format of the call
        shows_total  whether the document shows the number of items, so that its validator must depend on the number
        """
        call, search, extras = self.call, self.search, self.call.values["extensions"]
        shows_total = shows_total and search.is_counted
        if not (search.ids or extras or shows_total) and "If-None-Match" in call.request.headers:
            validator = find_validator(call.platform, search, call.now)
            if call.has_unchanged(validator):
                return unchanged(validator)
        page = find_requests(call.platform, search, rendered or call.output, extras, partner=self.partner)
        if call.platform.is_lagging and not page.items and (search.ids or call.values["service_request_id_ext"]):
            raise unavailable(None)  # the primary may know what the replica does not have yet
        total = self._total(page)
        return Answer(
            body=body(page, total),
            validator=f"{page.validator}-{total}" if shows_total else page.validator,
            headers=self._headers(page, total),
            warnings=self._warnings(page),
            cache_control=cache_control(self.partner),
        )

    def _warnings(self, page: Page) -> tuple[Message, ...]:
        call, search = self.call, self.search
        if search.ids:
            return ()
        found = (
            cut_dates(call.values, search, call.now),
            unknown_department(call.values["department"], call.city),
            None if page.items else unseen_id(call.values, search),
        )
        return tuple(filter(None, found))

    def _headers(self, page: Page, total: int | None) -> tuple[tuple[str, str], ...]:
        """Link with the addresses of other pages, and X-Total-Count if the count is known."""
        links, headers = self.links(page), []
        if total is not None:
            headers.append(("X-Total-Count", str(total)))
            if total > self.search.page_size and not self.search.ids:
                links["last"] = page_url(self.call, {"page": str(ceil(total / self.search.page_size))})
        if links:
            headers.append(("Link", ", ".join(f'<{url}>; rel="{relation}"' for relation, url in links.items())))
        return tuple(headers)

    def links(self, page: Page) -> dict[str, str]:
        """The addresses of other pages, by their relation: first, prev, next."""
        search, links = self.search, dict[str, str]()
        if search.page > 1 or search.after is not None:
            links["first"] = page_url(self.call, {})
        if search.page > 1 and search.after is None:
            links["prev"] = page_url(self.call, {"page": str(search.page - 1)})
        if page.next_key is not None:
            links["next"] = page_url(self.call, {"cursor": str(PageCursor.behind(search, page.next_key))})
        return links

    def _total(self, page: Page) -> int | None:
        """The number of items on all pages; None if it is unknown.

        The number is unknown only if there are several pages. Then the call has asked for no count, or there are
        too many items to count.
        """
        search = self.search
        if search.ids or (page.next_key is None and search.after is None and search.page == 1):
            return len(page.items)
        return count_requests(self.call.platform, search) if search.is_counted else None


def cache_control(partner: Principal | None) -> str:
    """The Cache-Control of an answer. Only the cache of the partner itself may store the partner's own ids."""
    return "no-cache" if partner is None else "private, no-cache"


def _own_search(call: Call) -> tuple[RequestSearch, Principal]:
    """The search for a partner's own id of a request, and the partner.

    Raises Invalid for faulty parameters, and whatever `require_partner` raises.
    """
    if call.problems:
        raise Invalid.of(call.problems)
    partner = require_partner(call.platform, call.request, call.city)
    found = find_own(call.platform, call.city.id, partner, call.values["service_request_id_ext"].strip())
    if not found:
        return RequestSearch(jurisdiction_id=call.city.id, service_codes=()), partner
    return RequestSearch(jurisdiction_id=call.city.id, ids=(found,)), partner
