"""The photos of requests, for everybody (spec/extensions.md, M1 to M11)."""

from __future__ import annotations

from werkzeug.wrappers import Response

from open311.formats import JSON
from open311.operations.media.showing import find_public_file
from open311.web.access import ANYBODY
from open311.web.calls import Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.photos import PUBLIC_CACHING, photo_response
from open311.web.surfaces import MEDIA
from open311.web.terms import term_headers
from schemas.arguments import NoArguments


@endpoint(
    MEDIA,
    "/<code:jurisdiction_id>/<name>",
    reads=NoArguments,
    access=ANYBODY,
    answers=Media("image/jpeg", {"type": "string", "format": "binary"}),
    output=JSON,
    city=City.IN_PATH,
    is_extension=True,
    errors=(206, 503),
    headers=("Content-Disposition", "Link", "X-Attribution"),
)
def get_photo(call: Call, name: str) -> Response:
    """Show a photo of a request.

    The address in media_url is that of the large size. With -medium or -small before .jpg, it is that of a smaller
    size. Range requests are supported. The terms of use are in the headers.
    """
    file = find_public_file(call.platform, call.city, name)
    response = photo_response(call.request, file, cache_control=PUBLIC_CACHING)
    response.headers.extend(term_headers(call))
    return response
