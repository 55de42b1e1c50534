"""The number of pixels is read from the first bytes of a picture. Whatever the bytes are, no error is raised."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from open311.media.kinds import PhotoKind
from open311.media.sizes import pixels_of
from tests.photos import tagged_jpeg


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (301, 57), "red" if mode != "I;16" else 7).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (PhotoKind.JPEG, picture("JPEG")),
        (PhotoKind.JPEG, picture("JPEG", progressive=True, comment=b"x" * 60_000)),
        (PhotoKind.JPEG, picture("JPEG", "CMYK")),
        (PhotoKind.PNG, picture("PNG", "I;16")),
        (PhotoKind.WEBP, picture("WEBP")),
        (PhotoKind.WEBP, picture("WEBP", lossless=True)),
        (PhotoKind.WEBP, picture("WEBP", "RGBA", exif=b"Exif\0\0" + bytes(20))),
    ],
)
def test_the_pixels_of_a_picture_are_counted(kind: PhotoKind, content: bytes) -> None:
    assert pixels_of(kind, content) == 301 * 57


def test_the_size_of_the_picture_is_read_and_not_the_size_of_its_thumbnail() -> None:
    assert pixels_of(PhotoKind.JPEG, tagged_jpeg()) == 64 * 48


@pytest.mark.parametrize("kind", [PhotoKind.JPEG, PhotoKind.PNG, PhotoKind.WEBP])
def test_a_picture_that_is_cut_off_anywhere_raises_no_error(kind: PhotoKind) -> None:
    content = picture(kind.word)
    for end in range(len(content)):
        assert pixels_of(kind, content[:end]) >= 0


@given(st.sampled_from(PhotoKind), st.binary(max_size=200))
def test_arbitrary_bytes_never_raise_an_error(kind: PhotoKind, content: bytes) -> None:
    assert pixels_of(kind, content) >= 0


@pytest.mark.parametrize("block", [b"\xff\xe0\x00\x02", b"\xff"])
def test_the_search_for_the_size_gives_up_after_too_many_short_blocks_of_a_jpeg(block: bytes) -> None:
    size = picture("JPEG").partition(b"\xff\xc0")
    content = b"\xff\xd8" + block * 2_000 + size[1] + size[2]
    assert pixels_of(PhotoKind.JPEG, content) == 0
