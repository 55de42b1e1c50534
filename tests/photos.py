"""Photos for tests, and functions that do the worker's part."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.jobs.dispatching import dispatch_all
from open311.operations.access.api_keys import add_key
from open311.operations.media.erasing import delete_erased
from open311.operations.media.files import store_of
from open311.operations.media.preparing import prepare_photos
from open311.operations.platform import Platform
from open311.storage import media
from tests.checked_client import platform_of

BASE = "/open311/v2"
PLACE = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
PLANTED = b"PLANTED-60.17-24.94"
"""Text that stands in the metadata of test photos and must not come out."""


class Sender:
    """Sends reports with files to an app, and reads what it shows."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.platform = platform_of(app)
        self.key = add_key(self.platform, label="photos", now=utc_now())[1]

    def post(
        self, *files: tuple[str, bytes], format: str = "json", repeat: str = "", **fields: Any
    ) -> TestResponse:
        """Send a report with these files: pairs of a field's name and the content."""
        data: dict[str, Any] = PLACE | {"api_key": self.key} | fields
        for name, content in files:
            data.setdefault(name, []).append((io.BytesIO(content), "photo.jpg"))
        headers = {"Idempotency-Key": repeat} if repeat else {}
        return self.client.post(
            f"{BASE}/requests.{format}", data=data, headers=headers, content_type="multipart/form-data"
        )

    def newest(self) -> dict[str, Any]:
        """The newest request, with its extensions."""
        found: dict[str, Any] = self.client.get(f"{BASE}/requests.json?extensions=true").json[0]
        return found

    def urls(self) -> list[str]:
        """The addresses of all pictures of the newest request."""
        found: list[str] = self.newest()["extended_attributes"]["media_urls"]
        return found

    def path(self) -> str:
        """The path of the first photo of the newest request."""
        return self.urls()[0].removeprefix("http://localhost")

    def get(self, path: str, **headers: str) -> TestResponse:
        """Read a file."""
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def files(self) -> list[str]:
        """The keys of all files in the media store, after the worker has deleted those of erased photos."""
        for city in self.platform.registry:
            delete_erased(self.platform, city.id, utc_now())
        return sorted(stored.key for stored in store_of(self.platform).keys(""))


def jpeg(colour: str = "red", *, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """A JPEG in one colour."""
    return _encoded(Image.new("RGB", size, colour), "JPEG", **options)


def png(colour: str = "red", *, size: tuple[int, int] = (64, 48)) -> bytes:
    """A PNG in one colour."""
    return _encoded(Image.new("RGB", size, colour), "PNG")


def webp(colour: str = "red", *, size: tuple[int, int] = (64, 48)) -> bytes:
    """A WebP in one colour."""
    return _encoded(Image.new("RGB", size, colour), "WEBP")


def tagged_jpeg() -> bytes:
    """A JPEG with the planted text in EXIF, in the thumbnail of EXIF, in XMP and in a comment."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x010F] = exif[0x013B] = PLANTED.decode()
    exif.get_ifd(0x8825)[0x001D] = PLANTED.decode()
    thumbnail = jpeg("blue", size=(8, 8), comment=PLANTED)
    packet = exif.tobytes() + thumbnail
    return jpeg(exif=packet, comment=PLANTED, xmp=b"<x:xmpmeta>" + PLANTED + b"</x:xmpmeta>")


def prepare_all(platform: Platform) -> None:
    """Do what the worker does for all changes and all waiting photos."""
    dispatch_all(platform)
    prepare_waiting(platform)


def prepare_waiting(platform: Platform, now: datetime | None = None) -> bool:
    """Prepare all waiting photos. Returns whether any is shown now."""
    shown = 0
    for city in platform.registry:
        with platform.database.reading() as connection:
            numbers = media.load_waiting(connection, city.id)
        shown += sum(prepare_photos(platform, city.id, number, now or utc_now()) for number in numbers)
    return shown > 0


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
