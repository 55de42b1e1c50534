"""The change feed, an extension: K1 to K10."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

from spec.conformance.answers import UNKNOWN, Answer, Record, UnmetNeedError, ids_of, text_of
from spec.conformance.offers import offered, records_in, rows
from spec.conformance.preparation import Endpoint
from spec.conformance.probe import Probe, only, require
from spec.conformance.registry import check

_MOST = 1000
_PAGES = 5
"""A walk always has room for this many pages, apart from the empty pages that make it pause."""
_PAUSES = 10
"""The number of one-second pauses that a walk makes while older transactions delay the feed."""
_TOMBSTONE = {"service_request_id", "withdrawn"}

Pair = tuple[str, str]


def _feed(probe: Probe, *params: Pair, at: Endpoint | None = None) -> Answer:
    """One page of the feed, not from the cache. Raises UnmetNeedError if the server does not offer the feed."""
    answer = probe.get("changes.json", params, fresh=True, at=at)
    offered(probe, "changes", lambda: answer.succeeded and _cursor(answer))
    return answer.must_be(200)


def _cursor(answer: Answer) -> str:
    return answer.headers.get("x-cursor", "")


def _is_caught_up(answer: Answer) -> bool:
    return answer.headers.get("x-caught-up", "").lower() == "true"


def _walk(probe: Probe, *params: Pair) -> Iterator[tuple[Answer, list[Record]]]:
    """Read the feed page by page, starting with `params`, to the end, but at most `_PAGES + _PAUSES` pages.

    After an empty page that is not the last, the walk pauses.
    """
    pauses = 0
    for _ in range(_PAGES + _PAUSES):
        answer = _feed(probe, *params)
        records = records_in(answer)
        yield answer, records
        answer.must(_cursor(answer), "X-Cursor", "none")
        if _is_caught_up(answer):
            return
        if not records:
            pauses += 1
            probe.client.pause(1.0)
        params = (*(pair for pair in params if pair[0] not in ("cursor", "since")), ("cursor", _cursor(answer)))
    if pauses >= _PAUSES:
        raise UnmetNeedError("older transactions hold the feed back")


def _end(probe: Probe) -> Answer:
    """The last page of the feed. Raises UnmetNeedError if the feed is too long for a walk to its end."""
    *_, (answer, _) = _walk(probe)
    if not _is_caught_up(answer):
        raise UnmetNeedError(f"the feed has more than {_PAGES * _MOST} changes")
    return answer


def _is_tombstone(record: Record) -> bool:
    return "withdrawn" in record


@check("K1")
def items_as_in_lists(probe: Probe) -> None:
    page = ("page_size", "50")
    # The first page may be empty while an older transaction delays the feed.
    answer = next((page for page, records in _walk(probe, page) if records), None)
    if answer is None:
        raise UnmetNeedError("the feed is empty")
    xml = probe.get("changes.xml", [page], fresh=True).must_be(200)
    root = xml.must_be_xml()
    names = {child.tag for child in root} - {"request"}
    xml.must(root.tag == "changes" and not names, "changes with request items", f"<{root.tag}>")
    live = [record for record in records_in(answer) if not _is_tombstone(record)][:10]
    if not live:
        raise UnmetNeedError("the feed has no request that is still public")
    params = ("service_request_id", ",".join(ids_of(live)))
    for more in ((), (("extensions", "true"),)):
        _, listed = rows(probe, params, *more)
        received = {
            text_of(record, "service_request_id"): record for record in records_in(_feed(probe, page, *more))
        }
        for record in listed:
            item = received.get(text_of(record, "service_request_id"))
            answer.must(item == record, f"{record} as in the list", item)


@check("K2")
def tombstones(probe: Probe) -> None:
    private, count = probe.prepared.private_request, 0
    for answer, records in _walk(probe):
        for record in records:
            is_private = text_of(record, "service_request_id") == private
            count += is_private or _is_tombstone(record)
            if is_private or _is_tombstone(record):
                is_valid = record.keys() == _TOMBSTONE and record["withdrawn"] is True
                answer.must(is_valid, "only service_request_id and withdrawn (true)", record)
    if not count and not private:
        raise UnmetNeedError("no request of the feed was withdrawn")


@check("K3")
def each_state_once(probe: Probe) -> None:
    """No request occurs twice in one answer, and no state of a request occurs twice in a whole walk."""
    states: Counter[str] = Counter()
    for answer, records in _walk(probe, ("page_size", str(_MOST))):
        twice = [request_id for request_id, times in Counter(ids_of(records)).items() if times > 1]
        answer.must(not twice, "only the last state of each request", f"{', '.join(twice)} twice")
        states.update(json.dumps(record, sort_keys=True) for record in records)
        repeated = [state for state, times in states.items() if times > 1]
        answer.must(not repeated, "each state once", repeated[:1])


@check("K4")
def cursors(probe: Probe) -> None:
    first = _feed(probe, ("page_size", "1"))
    end = _end(probe)
    empty = _feed(probe, ("cursor", _cursor(end)))
    tag = {"If-None-Match": empty.headers.get("etag", "")}
    same = probe.get("changes.json", [("cursor", _cursor(end))], headers=tag, fresh=True)
    for answer in (first, end, empty, same):
        answer.must(_cursor(answer), "X-Cursor on every answer", f"{answer.status} without X-Cursor")
    for answer in (first, empty):
        link = answer.link("next")
        answer.must(quote(_cursor(answer)) in link, "X-Cursor in the link to next", link or "none")
    probe.get("changes.json", [("cursor", UNKNOWN)]).must_be(400)
    if several := probe.prepared.several:
        at = [Endpoint(several.base_url, member.jurisdiction_id) for member in (several.first, several.second)]
        foreign = _cursor(_feed(probe, at=at[0]))
        probe.get("changes.json", [("cursor", foreign)], at=at[1]).must_be(400)


@check("K5")
def caught_up(probe: Probe) -> None:
    end = _end(probe)
    for answer in (end, *(answer for answer, _ in _walk(probe, ("cursor", _cursor(end))))):
        value = answer.headers.get("x-caught-up", "none")
        answer.must(value in ("true", "false"), "X-Caught-Up: true or false", value)
    items = [item for _, records in _walk(probe) for item in records]
    if len(items) > 1:
        part = _feed(probe, ("page_size", "1"))
        part.must(not _is_caught_up(part), "X-Caught-Up: false, because more changes follow", "true")
    rest = records_in(_feed(probe, ("cursor", _cursor(end))))
    repeated = [record for record in rest if record in items]
    end.must(not repeated, "after the end, no change that was sent before", repeated[:1])


@check("K6")
def sizes(probe: Probe) -> None:
    for name in ("page_size", "per_page", "limit", "max_requests"):
        answer = _feed(probe, (name, "1"))
        answer.must(len(records_in(answer)) <= 1, "one change", len(records_in(answer)))
    answer = _feed(probe, ("page_size", "5000"), at=probe.prepared.crowded)
    answer.must(len(records_in(answer)) <= _MOST, f"at most {_MOST} changes", len(records_in(answer)))


@check("K7")
def waiting(probe: Probe) -> None:
    """The server shortens a `wait` above its limit, instead of refusing it, and waits only if nothing changed."""
    immediate = _feed(probe, ("wait", "100000"))
    if not records_in(immediate):
        raise UnmetNeedError("the feed is empty")
    waited = _feed(probe, ("cursor", _cursor(_end(probe))), ("wait", "1"))
    waited.must(_cursor(waited), "X-Cursor after the wait", "none")


@check("K8", needs="open_request")
def since(probe: Probe) -> None:
    """The feed since a request's updated_datetime has the request: its state was written then or later."""
    first = _feed(probe, ("page_size", "1"))
    long_ago = _feed(probe, ("page_size", "1"), ("since", probe.ago(400)))
    long_ago.must(records_in(long_ago) == records_in(first), "the first change of all", records_in(long_ago))
    request_id = require(probe.prepared.open_request)
    updated = text_of(only(probe.request(request_id, probe.formats[-1])), "updated_datetime")
    seen: set[str] = set()
    for answer, records in _walk(probe, ("since", updated)):
        seen |= set(ids_of(records))
        is_missing = _is_caught_up(answer) and request_id not in seen
        answer.must(not is_missing, f"{request_id}, which changed at that time", sorted(seen))
    plain = _feed(probe, ("page_size", "1"), ("cursor", _cursor(first)))
    both = _feed(probe, ("page_size", "1"), ("cursor", _cursor(first)), ("since", probe.ago(400)))
    both.must(records_in(plain) == records_in(both), "the same changes as with the cursor alone", records_in(both))


@check("K9", needs="future_cursor")
def future(probe: Probe) -> None:
    _feed(probe)
    probe.get("changes.json", [("cursor", require(probe.prepared.future_cursor))]).must_be(410)


@check("K10")
def one_department(probe: Probe) -> None:
    """With `department`, the feed has exactly the requests that show this code, and tombstones."""
    unknown = _feed(probe, ("department", UNKNOWN), ("page_size", "50"))
    offered(probe, "department", lambda: all(map(_is_tombstone, records_in(unknown))))
    everything = ("extensions", "true")
    codes = {
        text_of(record, "service_request_id"): _department(record)
        for _, page in _walk(probe, everything)
        for record in page
    }
    code = next(filter(None, codes.values()), "")
    if not code:
        raise UnmetNeedError("no request of the feed shows the code of its department")
    found: set[str] = set()
    for answer, page in _walk(probe, everything, ("department", code)):
        live = [record for record in page if not _is_tombstone(record)]
        others = [record for record in live if _department(record) != code]
        answer.must(not others, f"requests of the department {code} only", ids_of(others))
        found.update(ids_of(live))
    missing = {request_id for request_id, shown in codes.items() if shown == code} - found
    unknown.must(not missing, f"{', '.join(sorted(missing))} with department={code} as well", sorted(found))


def _department(record: Record) -> str:
    extended = record.get("extended_attributes")
    return text_of(extended, "department") if isinstance(extended, dict) else ""
