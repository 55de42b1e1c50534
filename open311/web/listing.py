"""One list call: its search, the page that answers it, and the links to other pages (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from open311.domain.cursors import PageCursor
from open311.domain.search import RequestSearch
from open311.formats import Format
from open311.operations.reading.find_requests import Page, count_requests, find_requests, find_validator
from open311.operations.reading.searches import cut_dates, read_search, unknown_department, unseen_id
from open311.web.calls import Answer, Call, unchanged
from open311.web.links import page_url
from open311.web.parsing import MOST_REMEMBERED_BYTES
from schemas.texts import Message


@dataclass(frozen=True, slots=True)
class Listing:
    """A list call and its search."""

    call: Call
    search: RequestSearch

    @classmethod
    def of(cls, call: Call) -> Listing:
        """Make the search of a call. Raises Invalid or NotFound.

        Searches are cached. The cache key has `now` in whole seconds, so a query is read again each second.
        """
        settings = call.platform.settings
        is_short = len(call.request.query_string) <= MOST_REMEMBERED_BYTES  # longer ones are not cached
        read = call.platform.process.cached(read_search) if is_short else read_search
        search = read(call.values, call.city, now=call.now, policy=settings.span_policy, problems=call.problems)
        if settings.unknown_service_is_404:
            for code in search.service_codes or ():
                call.city.require_service(code)
        return cls(call, search)

    def answer(
        self,
        body: Callable[[Page, int | None], bytes],
        *,
        rendered: Format | None = None,
        shows_total: bool = False,
    ) -> Answer:
        """The page that the call asks for.

        body         makes the document of a page; gets the number of items on all pages too, if it is known
        rendered     the format of the page's items, if it is not the format of the call
        shows_total  whether the document shows this number, so that its validator must change with the number
        """
        call, search, extras = self.call, self.search, self.call.values["extensions"]
        shows_total = shows_total and search.is_counted
        if not (search.ids or extras or shows_total) and "If-None-Match" in call.request.headers:
            validator = find_validator(call.platform, search, call.now)
            if call.has_unchanged(validator):
                return unchanged(validator)
        page = find_requests(call.platform, search, rendered or call.output, extras)
        total = self._total(page)
        return Answer(
            body=body(page, total),
            validator=f"{page.validator}-{total}" if shows_total else page.validator,
            headers=self._headers(page, total),
            warnings=self._warnings(page),
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
        """The number of items on all pages. None if the list has several pages and the call asks for no count."""
        search = self.search
        if search.ids or (page.next_key is None and search.after is None and search.page == 1):
            return len(page.items)
        return count_requests(self.call.platform, search) if search.is_counted else None
