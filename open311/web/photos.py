"""Photos as answers."""

from __future__ import annotations

from werkzeug.wrappers import Request, Response

from open311.operations.media.showing import PhotoFile

PUBLIC_CACHING = "public, max-age=300"
"""How long caches may show a photo without asking again, and so how long they may show a withdrawn one."""
STAFF_CACHING = "private, no-cache"


def photo_response(request: Request, file: PhotoFile, *, cache_control: str, is_download: bool = False) -> Response:
    """The answer with the file of a photo: the whole file, a range of it, or 304 if the client has the file.

    is_download  whether a browser saves the file instead of showing it
    A browser that opens the address shows the picture in a sandbox, so nothing in the file could run.
    """
    response = Response(file.data, mimetype=file.media_type)
    response.set_etag(file.validator)
    kind = "attachment" if is_download else "inline"
    response.headers["Content-Disposition"] = f'{kind}; filename="{file.name}"'
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = cache_control
    response.make_conditional(request.environ, accept_ranges=True, complete_length=len(file.data))
    return response
