"""Photos: M1 and M5."""

from __future__ import annotations

from spec.conformance.answers import Answer, Call, UnmetNeedError
from spec.conformance.multipart import PIXEL
from spec.conformance.photographs import photo, post_photos, shown_photo
from spec.conformance.preparation import EXTENSIONS
from spec.conformance.probe import Probe, created
from spec.conformance.registry import check

_NEEDS = "plain_service point"


def _offered(probe: Probe) -> None:
    if "media" not in probe.prepared.offered:
        raise UnmetNeedError(f"not offered: {EXTENSIONS['media']}")


@check("M1", needs=_NEEDS, writes=True)
def any_field_name(probe: Probe) -> None:
    _offered(probe)
    answer = post_photos(probe, ("photo", "notes.txt", "text/plain", PIXEL))
    shown = shown_photo(probe, created(answer))
    answer.must(shown, "a media_url for a picture in the field photo that is declared as text", "none")


@check("M5", needs=_NEEDS, writes=True)
def sizes_of_a_photo(probe: Probe) -> None:
    _offered(probe)
    answer = post_photos(probe, photo("media"))
    url = shown_photo(probe, created(answer))
    answer.must(isinstance(url, str) and str(url).endswith(".jpg"), "a media_url that ends in .jpg", url)
    stem = str(url).removesuffix(".jpg")
    for size in ("", "-medium", "-small"):
        _check_photo(probe.client.send(Call("GET", f"{stem}{size}.jpg")).must_be(200))
    probe.client.send(Call("GET", f"{stem}x.jpg")).must_be(404)


def _check_photo(shown: Answer) -> None:
    headers = shown.headers
    shown.must(shown.content_type == "image/jpeg", "image/jpeg", shown.content_type)
    tag = headers.get("etag", "")
    shown.must(tag.startswith('"'), "a strong ETag", tag)
    shown.must(headers.get("accept-ranges") == "bytes", "Accept-Ranges: bytes", headers.get("accept-ranges"))
    shown.must("content-disposition" in headers, "Content-Disposition", "none")
    caching = headers.get("cache-control", "")
    shown.must("public" in caching and "max-age=300" in caching, "Cache-Control: public, max-age=300", caching)
    policy = headers.get("content-security-policy", "")
    shown.must("sandbox" in policy, "a Content-Security-Policy with sandbox", policy)
