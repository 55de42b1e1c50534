"""ActivityStreams, an extension: OB1 to OB4 and OB6."""

from __future__ import annotations

from typing import Any

from spec.conformance.answers import UNKNOWN, Answer
from spec.conformance.offers import offered
from spec.conformance.probe import Probe
from spec.conformance.registry import check

_TYPE = "application/activity+json"
_KINDS = {"Create", "Update", "Delete"}
_NOTE = {"id", "name", "content", "published", "updated", "url", "service_request_id", "service_code", "status"}
_MOST_PAGES = 5


def _read(probe: Probe, *params: tuple[str, str]) -> tuple[Answer, dict[str, Any]]:
    answer = probe.get("outbox", params, fresh=True)
    offered(probe, "outbox", lambda: answer.succeeded and answer.content_type.startswith(_TYPE))
    found = answer.must_be(200).json()
    answer.must(isinstance(found, dict), "an object", found)
    return answer, found if isinstance(found, dict) else {}


def _activities(answer: Answer, page: dict[str, Any]) -> list[dict[str, Any]]:
    items = page.get("orderedItems")
    is_list = isinstance(items, list) and all(isinstance(one, dict) for one in items)
    answer.must(is_list, "a list of activities in orderedItems", items)
    return items if isinstance(items, list) else []


def _object_of(activity: dict[str, Any]) -> dict[str, Any]:
    found = activity.get("object")
    return found if isinstance(found, dict) else {}


@check("OB1")
def collection(probe: Probe) -> None:
    answer, found = _read(probe)
    answer.must(found.get("type") == "OrderedCollection", "an OrderedCollection", found.get("type"))
    first = str(found.get("first") or "")
    answer.must(first.startswith(("http://", "https://")), "the address of a page in first", first)


@check("OB2")
def pages(probe: Probe) -> None:
    seen: list[object] = []
    query = [("page", "true"), ("page_size", "2")]
    for _ in range(_MOST_PAGES):
        answer, page = _read(probe, *query)
        answer.must(page.get("type") == "OrderedCollectionPage", "an OrderedCollectionPage", page.get("type"))
        found = _activities(answer, page)
        answer.must(len(found) <= 2, "at most two activities", len(found))
        seen += [_object_of(one).get("id") for one in found]
        following = str(page.get("next") or "")
        if not following:
            break
        query = [("cursor", following.partition("cursor=")[2].partition("&")[0]), ("page_size", "2")]
    answer.must(len(seen) == len(set(map(str, seen))), "each request once", seen)
    probe.get("outbox", [("cursor", UNKNOWN)], fresh=True).must_be(400)


@check("OB3")
def kinds(probe: Probe) -> None:
    answer, page = _read(probe, ("page", "true"), ("page_size", "200"))
    for one in _activities(answer, page):
        answer.must(one.get("type") in _KINDS, "Create, Update or Delete", one.get("type"))
        subject = _object_of(one)
        if one.get("type") == "Delete":
            is_bare = subject.get("type") == "Tombstone" and subject.keys() <= {"type", "id", "formerType"}
            answer.must(is_bare, "a Tombstone with id and formerType only", subject)


@check("OB4")
def notes(probe: Probe) -> None:
    answer, page = _read(probe, ("page", "true"))
    for one in _activities(answer, page):
        subject = _object_of(one)
        if one.get("type") != "Delete":
            is_whole = subject.get("type") == "Note" and subject.keys() >= _NOTE
            answer.must(is_whole, f"a Note with {', '.join(sorted(_NOTE))}", subject)


@check("OB6")
def actor(probe: Probe) -> None:
    answer, page = _read(probe, ("page", "true"))
    actors = [one.get("actor") for one in _activities(answer, page)]
    is_city = all(isinstance(one, dict) and one.get("type") == "Organization" for one in actors)
    answer.must(is_city and all(one == actors[0] for one in actors), "the city as the only actor", actors[:2])
    tag = answer.headers.get("etag", "")
    again = probe.get("outbox", [("page", "true")], headers={"If-None-Match": tag}, fresh=True)
    changed = again.headers.get("etag", "") != tag
    again.must(again.status == 304 or changed, "304 for an unchanged page", again.status)
