"""Paging, an extension: P1 to P5."""

from __future__ import annotations

from collections import Counter
from urllib.parse import parse_qs, urlsplit

from spec.conformance.answers import UNKNOWN, Answer, Call, ids_of
from spec.conformance.offers import offered, pages_offered, records_in, rows
from spec.conformance.probe import Probe, created
from spec.conformance.registry import check

_PAGES = 4
"""The approximate number of pages that a walk reads. The page size depends on it."""


def next_page(probe: Probe, answer: Answer, *, fresh: bool = False) -> Answer:
    """The page that the link `next` leads to. Raises DeviationError if there is no such link."""
    url = answer.link("next")
    answer.must(url, "Link with next", answer.headers.get("link", "none"))
    return probe.client.get(Call("GET", url), fresh=fresh).must_be(200)


def _first(probe: Probe, size: int = 1, *, fresh: bool = False) -> Answer:
    """The first page, of `size` requests.

    Raises UnmetNeedError if pages are not offered, or, with a size of 1, if the page has no cursor.
    """
    pages_offered(probe)
    probe.json_offered()
    answer = probe.get("requests.json", [("page_size", str(size))], fresh=fresh).must_be(200)
    offered(probe, "cursor", lambda: size > 1 or _cursor(answer))
    return answer


def _cursor(answer: Answer) -> str:
    """The cursor in the link to the next page; "" if there is none."""
    return parse_qs(urlsplit(answer.link("next")).query).get("cursor", [""])[0]


@check("P1")
def page_zero(probe: Probe) -> None:
    pages_offered(probe)
    _, expected = probe.listing(("page", "1"), ("page_size", "1"))
    answer, records = rows(probe, ("page", "0"), ("page_size", "1"))
    answer.must(ids_of(records) == ids_of(expected), ids_of(expected)[0], ids_of(records))
    for page in ("-1", "first"):
        probe.get(f"requests.{probe.formats[-1]}", [("page", page)]).must_be(400)


@check("P2")
def relations(probe: Probe) -> None:
    first = _first(probe)
    first.must(not first.link("first") and not first.link("prev"), "next alone", first.headers.get("link"))
    second, _ = rows(probe, ("page", "2"), ("page_size", "1"))
    for relation in ("first", "prev"):
        answer = probe.client.get(Call("GET", second.link(relation) or second.call.url))
        same = ids_of(records_in(answer)) == ids_of(records_in(first))
        second.must(second.link(relation) and same, f"Link with {relation}, to page 1", second.headers.get("link"))
    second.must(not second.link("last"), "no last in Link", second.headers.get("link"))
    end, _ = rows(probe, ("page_size", "1000"), ("page", "100000"))
    end.must(not end.link("next"), "no next on the last page", end.headers.get("link"))


@check("P3", needs="plain_service point", writes=True)
def cursor(probe: Probe) -> None:
    """A request that is sent between two calls does not shift the next page."""
    _first(probe)
    first = _first(probe, 2, fresh=True)
    created(probe.post(probe.form()))
    second = next_page(probe, first, fresh=True)
    repeated = set(ids_of(records_in(first))) & set(ids_of(records_in(second)))
    second.must(not repeated, "the requests after the first page", f"{', '.join(repeated)} again")
    second.must(_cursor(first), "a cursor in next", first.headers.get("link"))
    for params in ([("cursor", UNKNOWN)], [("cursor", _cursor(first)), ("sort", "updated")]):
        probe.get("requests.json", params).must_be(400)
    url = probe.call("GET", "requests.json", [("cursor", _cursor(first)), ("start_date", probe.ago(3))])
    probe.client.get(url).must_be(400)


@check("P4")
def walk(probe: Probe) -> None:
    """A walk through the pages finds every request of the plain list once, in the same order."""
    _first(probe)
    _, plain = rows(probe)
    size = len(plain) // _PAGES + 1
    answer = _first(probe, size)
    request_ids = ids_of(records_in(answer))
    for _ in range(_PAGES):
        if answer.link("next") and len(request_ids) < len(plain):
            answer = next_page(probe, answer)
            request_ids += ids_of(records_in(answer))
    twice = [request_id for request_id, times in Counter(request_ids).items() if times > 1]
    answer.must(not twice, "each request once", f"{', '.join(twice)} again")
    missing = set(ids_of(plain)) - set(request_ids)
    answer.must(not missing, "each request of the list", f"all but {', '.join(sorted(missing))}")
    both = [request_id for request_id in request_ids if request_id in ids_of(plain)]
    answer.must(both == ids_of(plain), "the order of the list", both)


@check("P5")
def total(probe: Probe) -> None:
    pages_offered(probe)
    whole, records = rows(probe)
    page, _ = rows(probe, ("page_size", "1"), ("count", "true"))
    totals = [answer.headers.get("x-total-count", "") for answer in (whole, page)]
    offered(probe, "count", lambda: any(totals))
    if not whole.link("next"):
        whole.must(totals[0] == str(len(records)), f"X-Total-Count: {len(records)}", totals[0] or "none")
        page.must(totals[1] == str(len(records)), f"X-Total-Count: {len(records)}", totals[1] or "none")
    page.must(not totals[1] or int(totals[1]) >= len(records), f"at least {len(records)}", totals[1])
