"""Photos in the bodies that real clients send, byte for byte as they build them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests import build
from tests.photos import BASE, PLACE, Sender, jpeg, prepare_all


def curl(key: str, photo: bytes) -> tuple[str, bytes]:
    """`curl -F service_code=… -F media=@hole.jpg`."""
    boundary = "------------------------d74496d66958873e"
    fields = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (PLACE | {"api_key": key}).items()
    )
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="media"; filename="hole.jpg"\r\n'.encode()
    body = fields + head + b"Content-Type: image/jpeg\r\n\r\n" + photo + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def fixmystreet(key: str, photo: bytes) -> tuple[str, bytes]:
    """FixMyStreet, by Perl's HTTP::Request::Common: short boundary, the same name again, a name with brackets."""
    boundary = "xYzZY"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (PLACE | {"api_key": key, "attribute[easting]": "1"}).items()
    ]
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="media[]"; filename="{number}.0.jpeg"\r\n'.encode()
        + b"Content-Type: image/jpeg\r\n\r\n"
        + photo
        + b"\r\n"
        for number in (1, 2)
    ]
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + f"--{boundary}--\r\n".encode()


def onebusaway(key: str, photo: bytes) -> tuple[str, bytes]:
    """OneBusAway, by Apache HttpClient: each part names its type and its transfer encoding."""
    boundary = "4n0TcC7kJt8h9Zp_-Qe2yR5vXw1u"
    fields = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        f"Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{value}\r\n".encode()
        for name, value in (PLACE | {"api_key": key}).items()
    )
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="media"; filename="IMG_20260301.jpg"\r\n'
        "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    )
    return f"multipart/form-data; boundary={boundary}", fields + head.encode() + photo + (
        f"\r\n--{boundary}--\r\n".encode()
    )


def old_mail_library(key: str, photo: bytes) -> tuple[str, bytes]:
    """A client that builds the body as a mail: the photo is in base64, in lines."""
    content_type, body = curl(key, photo)
    coded = b"Content-Transfer-Encoding: BASE64\r\n\r\n" + base64.encodebytes(photo).replace(b"\n", b"\r\n")
    return content_type, body.replace(b"\r\n" + photo, coded)


def browser(key: str, photo: bytes) -> tuple[str, bytes]:
    """A form in a browser with two fields for files, of which one is empty."""
    content_type, body = curl(key, photo)
    boundary = content_type.partition("boundary=")[2]
    empty = f'--{boundary}\r\nContent-Disposition: form-data; name="photo2"; filename=""\r\n'
    return content_type, f"{empty}Content-Type: application/octet-stream\r\n\r\n\r\n".encode() + body


def nameless(key: str, photo: bytes) -> tuple[str, bytes]:
    """A client that gives the photo a type and no file name."""
    content_type, body = curl(key, photo)
    return content_type, body.replace(b'; filename="hole.jpg"', b"")


@pytest.mark.parametrize(
    ("client", "count"),
    [(curl, 1), (fixmystreet, 2), (onebusaway, 1), (old_mail_library, 1), (browser, 1), (nameless, 1)],
)
def test_the_photos_of_real_clients_are_shown(
    make_app: Callable[..., Flask],
    tmp_path: Path,
    client: Callable[[str, bytes], tuple[str, bytes]],
    count: int,
) -> None:
    sender = Sender(make_app(build.city(), media=str(tmp_path / "media")))
    photo = jpeg() + b"\r\n--not the boundary\r\n"
    content_type, body = client(sender.key, photo)
    answer = sender.client.post(f"{BASE}/requests.json", data=body, content_type=content_type)
    assert answer.status_code == 200, answer.text
    assert not [text for text in answer.headers.getlist("Warning") if "file" in text]
    prepare_all(sender.platform)
    assert len(sender.urls()) == count
    assert sender.get(sender.path()).mimetype == "image/jpeg"
