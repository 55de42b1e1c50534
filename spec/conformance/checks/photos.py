"""Photos: M1 to M5, M7 and M8. EXEMPTIONS says why no check proves the other rules."""

from __future__ import annotations

from uuid import uuid4

from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, text_of
from spec.conformance.multipart import PIXEL, Part, multipart
from spec.conformance.photographs import (
    PREPARING_S,
    jpeg_size,
    media_urls,
    photo,
    picture,
    post_photos,
    shown_photo,
)
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


@check("M2", needs=_NEEDS, writes=True)
def files_that_are_not_kept(probe: Probe) -> None:
    _offered(probe)
    answer = post_photos(probe, photo("media", b"not an image at all"), photo("picture", b""))
    notice, warning = text_of(created(answer), "service_notice"), answer.headers.get("warning", "")
    for name in ("media", "picture"):
        answer.must(name in notice, f"a service_notice that names the file in {name}", notice)
        answer.must(name in warning, f"a Warning that names the file in {name}", warning)
    answer.must(not media_urls(probe, created(answer)), "a request without photos")


@check("M3", needs=_NEEDS, writes=True)
def sent_addresses_come_first(probe: Probe) -> None:
    _offered(probe)
    sent = "https://media.example.org/conformance.jpg"
    answer = post_photos(probe, photo("media"), photo("media", picture(9)), media_url=sent)
    notice = text_of(created(answer), "service_notice")
    answer.must("2" in notice, "a service_notice that says that 2 photos are being prepared", notice)
    shown = _all_photos(probe, created(answer), 3)
    answer.must(len(shown) == 3, "media_urls with the address that was sent and both photos", shown)
    answer.must(shown[0] == sent, f"{sent} as the first of media_urls", shown)
    first = probe.read_back(created(answer)).get("media_url")
    answer.must(first == sent, f"{sent} as media_url", first)


@check("M4", needs=_NEEDS, writes=True)
def metadata_are_removed(probe: Probe) -> None:
    _offered(probe)
    planted = b"conformance-" + uuid4().hex.encode()
    answer = post_photos(probe, photo("media", picture(90, text=planted, is_turned=True)))
    url = shown_photo(probe, created(answer))
    answer.must(isinstance(url, str), "a media_url", url)
    shown = probe.client.send(Call("GET", str(url))).must_be(200)
    size = jpeg_size(shown.content)
    shown.must(size is not None, "a JPEG", shown.content[:4])
    shown.must(size == (1, 2), "an upright picture of 1 × 2 pixels", size)
    for left in (planted, b"Exif\0", b"http://ns.adobe.com/xap"):
        shown.must(left not in shown.content, "no metadata", left)


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


@check("M7", needs=_NEEDS, writes=True)
def photo_of_an_update(probe: Probe) -> None:
    _offered(probe)
    report = created(probe.post(probe.form()))
    request_id, text = text_of(report, "service_request_id"), f"Conformance test {uuid4().hex}; please ignore."
    if not request_id:
        raise UnmetNeedError("the answer to the POST has no id")
    answer = _post_update(probe, request_id, text, photo("media", picture(60)))
    answer.must(answer.succeeded, "an update that is accepted", answer.status)
    shown = _all_photos(probe, report, 1)
    updates = probe.get("servicerequestupdates.xml", [("start_date", probe.ago(1))], fresh=True).must_be(200)
    public = [one for one in updates.document().root if one.findtext("description") == text]
    if public:
        updates.must(len(shown) == 1, "the photo of an update that everybody can read", shown)
        updates.must(public[0].findtext("media_url") == shown[0], f"{shown[0]} as the media_url of the update")
    else:
        answer.must(not shown, "no photo of an update that is for staff", shown)


@check("M8", needs=_NEEDS, writes=True)
def repeated_files(probe: Probe) -> None:
    _offered(probe)
    headers = {"Idempotency-Key": uuid4().hex}
    first, again = (post_photos(probe, photo("media", picture(120)), headers=headers) for _ in range(2))
    is_same = created(again) == created(first)
    again.must(is_same, "the first answer again")
    shown = _all_photos(probe, created(first), 2)
    again.must(len(shown) == 1, "one photo", shown)
    post_photos(probe, photo("media", picture(121)), headers=headers).must_be(400)


def _all_photos(probe: Probe, receipt: Record, number: int) -> list[str]:
    """All addresses of photos of a request. Waits for `number` of them, until the last pause is over."""
    shown: list[str] = []
    for pause_s in PREPARING_S:
        probe.client.pause(pause_s)
        shown = media_urls(probe, receipt)
        if len(shown) >= number:
            break
    return shown


def _post_update(probe: Probe, request_id: str, text: str, file: Part) -> Answer:
    fields = {
        "api_key": probe.target.api_key,
        "service_request_id": request_id,
        "update_id": uuid4().hex,
        "status": "OPEN",
        "updated_datetime": probe.ago(0),
        "description": text,
    }
    if probe.target.jurisdiction_id:
        fields["jurisdiction_id"] = probe.target.jurisdiction_id
    body, content_type = multipart(fields.items(), [file])
    url = f"{probe.target.base_url}/servicerequestupdates.{probe.formats[-1]}"
    return probe.client.send(Call("POST", url, (("Content-Type", content_type),), body))


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
