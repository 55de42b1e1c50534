"""Languages and security: C292, C293 and C295 to C298."""

from __future__ import annotations

from urllib.parse import urlencode

from spec.conformance.answers import UNKNOWN, Call, UnmetNeedError, text_of
from spec.conformance.client import UnreachableError
from spec.conformance.preparation import Endpoint
from spec.conformance.probe import FORM, Probe, require
from spec.conformance.registry import check

_XML_BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE request [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>
<request><description>&b;</description></request>"""


def _plain_http(probe: Probe) -> Endpoint:
    """The plain HTTP address of a server whose public address is https."""
    if probe.prepared.https_only:
        return probe.prepared.https_only
    base = probe.target.base_url
    if not base.startswith("https:"):
        raise UnmetNeedError("the requirement applies only if the public address is https")
    return Endpoint(base.replace("https:", "http:", 1), probe.target.jurisdiction_id)


@check("C292", writes=True)
def plain_http_post(probe: Probe) -> None:
    """The call has an invented key, so that no real key is sent without encryption."""
    at = _plain_http(probe)
    form = [("api_key", UNKNOWN), ("jurisdiction_id", at.jurisdiction_id), ("service_code", UNKNOWN)]
    url = f"{at.base_url}/requests.{probe.formats[-1]}"
    try:
        answer = probe.client.send(Call("POST", url, (("Content-Type", FORM),), urlencode(form).encode()))
    except UnreachableError:
        return
    answer.must_be(400)


@check("C293")
def discovery_names_https(probe: Probe) -> None:
    at = _plain_http(probe)
    own = probe.prepared.https_only
    parents = [at.base_url, at.base_url.rpartition("/")[0]] if own else [probe.discovery_base]
    answers = [probe.client.get(Call("GET", f"{base}/discovery.xml")) for base in parents]
    answer = next((each for each in answers if each.succeeded), answers[0]).must_be(200)
    urls = [element.text or "" for element in answer.document().root.findall("endpoints/endpoint/url")]
    answer.must(urls and all(url.startswith("https:") for url in urls), "https addresses", urls)


@check("C295", writes=True)
def xml_is_never_read(probe: Probe) -> None:
    for content_type in ("text/xml", "application/xml"):
        answer = probe.post_body(_XML_BOMB, content_type)
        answer.must(400 <= answer.status < 500, "a refusal")
        answer.must("lollollol" not in answer.text, "no entity expanded")


@check("C296", needs="access_log")
def keys_are_not_logged(probe: Probe) -> None:
    key = "a-key-that-must-not-be-logged"
    answer = probe.get(f"services.{probe.formats[-1]}", [("api_key", key)])
    answer.must(
        key not in require(probe.prepared.access_log)(),
        "an access log without the key",
        "the key in the access log",
    )


@check("C297", needs="locale")
def accept_language(probe: Probe) -> None:
    path = f"services.{probe.formats[-1]}"
    answer = probe.get(path, headers={"Accept-Language": require(probe.prepared.locale)}).must_be(200)
    names = [
        [text_of(item, "service_name") for item in each.records("services")] for each in (probe.get(path), answer)
    ]
    answer.must(names[0] != names[1], "names in that language", "the default names")
    vary = answer.headers.get("vary", "")
    answer.must("accept-language" in vary.lower(), "Vary: Accept-Language", vary or "none")


@check("C298")
def unknown_language(probe: Probe) -> None:
    for answer in probe.both("services", [("locale", "xx")]):
        plain = probe.services(answer.format)
        same = [text_of(item, "service_name") for item in plain.records("services")]
        names = [text_of(item, "service_name") for item in answer.must_be(200).records("services")]
        answer.must(names == same, "the default names", names[:3])
