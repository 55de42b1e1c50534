from __future__ import annotations

import os
import signal
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from open311.errors import Invalid, Unavailable
from open311.media.kinds import PhotoKind, sniff
from open311.media.preparing import SIZES, Box, Limits, Prepared, Unreadable, blacken, prepare
from open311.settings import Settings
from tests.media.pictures import (
    BLUE,
    GREEN,
    PLANTED,
    RED,
    WHITE,
    decoded,
    encoded,
    faults_of_rendition,
    planted,
    png,
    png_chunk,
    quarters,
    swapping_profile,
)
from tests.waiting import until

LIMITS = Limits.of(Settings())
KINDS = ("JPEG", "PNG", "WEBP", "HEIC")


def reason_of(original: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(Unreadable) as refusal:
        prepare(original, limits)
    return refusal.value.reason


def corners(picture: Image.Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters: left and right above, left and right below."""
    places = [(x, y) for y in (0.25, 0.75) for x in (0.25, 0.75)]
    return [pixel(picture, int(x * picture.width), int(y * picture.height)) for x, y in places]


def pixel(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    return cast("tuple[int, ...]", picture.getpixel((x, y)))


def assert_colours(picture: Image.Image, *expected: tuple[int, int, int], most: int = 12) -> None:
    for found, wanted in zip(corners(picture), expected, strict=True):
        assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= most, (found, wanted)


def large(prepared: Prepared) -> Image.Image:
    return decoded(prepared.renditions[0].data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_of_each_kind_becomes_jpegs_of_three_sizes(kind: str) -> None:
    width = 640 if kind == "HEIC" else 2100  # to encode a large HEIC takes long
    prepared = prepare(encoded(quarters(width, width // 2), kind), LIMITS)
    assert [(one.size, one.width, one.height) for one in prepared.renditions] == [
        (size, min(longest, width), min(longest, width) // 2) for size, longest in SIZES
    ]
    for one in prepared.renditions:
        picture = decoded(one.data)
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (one.width, one.height), "RGB")
        assert_colours(picture, RED, GREEN, BLUE, WHITE)


def test_a_small_photo_is_not_enlarged() -> None:
    prepared = prepare(encoded(quarters(30, 20), "PNG"), LIMITS)
    assert {(one.width, one.height) for one in prepared.renditions} == {(30, 20)}


@pytest.mark.parametrize("size", [(1, 1), (1, 9000), (9000, 1)])
def test_a_very_narrow_photo_has_at_least_one_pixel_across(size: tuple[int, int]) -> None:
    prepared = prepare(encoded(Image.new("RGB", size), "PNG"), LIMITS)
    assert min(prepared.renditions[2].width, prepared.renditions[2].height) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_prepared_photo_contains_nothing_but_pixels(kind: str) -> None:
    original = planted(kind)
    assert original.count(PLANTED) >= 4
    for one in prepare(original, LIMITS).renditions:
        assert not faults_of_rendition(one.data)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, (RED, GREEN, BLUE, WHITE)),
        (2, (GREEN, RED, WHITE, BLUE)),
        (3, (WHITE, BLUE, GREEN, RED)),
        (4, (BLUE, WHITE, RED, GREEN)),
        (5, (RED, BLUE, GREEN, WHITE)),
        (6, (BLUE, RED, WHITE, GREEN)),
        (7, (WHITE, GREEN, BLUE, RED)),
        (8, (GREEN, WHITE, RED, BLUE)),
        (9, (RED, GREEN, BLUE, WHITE)),
    ],
)
def test_a_photo_is_turned_upright(orientation: int, expected: tuple[tuple[int, int, int], ...]) -> None:
    block = Image.Exif()
    block[0x0112] = orientation
    prepared = prepare(encoded(quarters(), exif=block), LIMITS)
    assert_colours(large(prepared), *expected)
    is_lying = orientation in (1, 2, 3, 4, 9)
    assert (prepared.renditions[0].width, prepared.renditions[0].height) == ((400, 300) if is_lying else (300, 400))


def test_a_faulty_exif_block_does_not_spoil_a_photo() -> None:
    assert prepare(encoded(quarters(), exif=b"Exif\0\0MM\0*\0\0\xff\xff" + b"\xff" * 40), LIMITS).renditions


@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_converted_to_srgb(kind: str) -> None:
    assert_colours(
        large(prepare(planted(kind), LIMITS)), (30, 200, 30), (30, 30, 160), (200, 30, 30), WHITE, most=25
    )


@pytest.mark.parametrize("profile", [b"nonsense", swapping_profile()[:200], b"\0" * 5000])
def test_a_faulty_profile_counts_as_none(profile: bytes) -> None:
    assert_colours(large(prepare(encoded(quarters(), icc_profile=profile), LIMITS)), RED, GREEN, BLUE, WHITE)


def test_a_profile_for_other_colours_counts_as_none() -> None:
    grey = encoded(quarters().convert("L"), icc_profile=swapping_profile())
    assert large(prepare(grey, LIMITS)).size == (400, 300)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_of_pixels_becomes_rgb(mode: str) -> None:
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    picture = large(prepare(encoded(quarters().convert(mode), kind), LIMITS))
    assert (picture.mode, picture.size) == ("RGB", (400, 300))
    assert pixel(picture, 390, 290) == WHITE


def test_grey_with_16_bits_keeps_its_brightness() -> None:
    picture = Image.new("I;16", (50, 50), 0x8000)
    assert abs(pixel(large(prepare(encoded(picture, "PNG"), LIMITS)), 25, 25)[0] - 0x80) <= 1


def test_transparent_parts_become_white() -> None:
    clear = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
    for kind in ("PNG", "WEBP"):
        assert_colours(large(prepare(encoded(clear, kind), LIMITS)), WHITE, WHITE, WHITE, WHITE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_becomes_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (400, 300), "black")] * 3
    animation = encoded(quarters(), kind, save_all=True, append_images=frames)
    assert_colours(large(prepare(animation, LIMITS)), RED, GREEN, BLUE, WHITE)


def test_the_same_photo_always_gives_the_same_bytes() -> None:
    original = planted("JPEG", orientation=6)
    first, second = prepare(original, LIMITS), prepare(original, LIMITS)
    assert first == second
    assert len(first.content_hash) == 64


# --- what is refused


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "PPM", "PDF", "AVIF", "ICO"])
def test_kinds_of_file_other_than_the_supported_ones_are_refused(kind: str) -> None:
    assert reason_of(encoded(quarters(64, 64), kind)) == "not_an_image"


@pytest.mark.parametrize("text", [b"", b"\xff", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"RIFF\0\0\0\0WAVE"])
def test_a_file_that_is_no_picture_is_refused(text: bytes) -> None:
    assert sniff(text) is None
    assert reason_of(text) == "not_an_image"


def test_the_first_bytes_tell_the_kind() -> None:
    assert [sniff(encoded(quarters(64, 64), kind)[:64]) for kind in KINDS] == list(PhotoKind)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_photo_is_broken(kind: str, part: float) -> None:
    whole = encoded(quarters(), kind)
    assert reason_of(whole[: int(len(whole) * part)]) == "broken"


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    """With so little memory, decoding would fail for another reason."""
    small = replace(LIMITS, memory_bytes=150_000_000)
    assert reason_of(png(40_000, 40_000), small) == "too_many_pixels"
    jpeg = encoded(quarters())
    start = jpeg.index(b"\xff\xc0") + 5
    assert reason_of(jpeg[:start] + b"\x9c\x40\x9c\x40" + jpeg[start + 4 :], small) == "too_many_pixels"


def test_a_picture_that_needs_too_much_memory_is_refused() -> None:
    bomb = png(6000, 6000, png_chunk(b"IDAT", zlib.compress(bytes(6000 * (3 * 6000 + 1)), 1)))
    assert reason_of(bomb, replace(LIMITS, memory_bytes=150_000_000)) == "too_much_memory"


def test_a_picture_that_takes_too_long_is_refused() -> None:
    assert reason_of(many_scans(), replace(LIMITS, cpu_s=1)) == "takes_too_long"


@cache
def many_scans() -> bytes:
    """A small JPEG with thousands of scans, each of which costs as much as a photo."""
    jpeg = encoded(Image.new("L", (3000, 3000), 128), progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * 5000 + jpeg[-2:]


# --- the child


def test_a_black_box_is_in_every_size() -> None:
    original = planted("JPEG", orientation=6)
    prepared = blacken(original, (Box(0.0, 0.0, 0.5, 0.5), Box(0.5, 0.5, 1.0, 1.0)), LIMITS)
    for one in prepared.renditions:
        assert not faults_of_rendition(one.data)
        found = corners(decoded(one.data))
        assert max(found[0]) <= 3
        assert max(found[3]) <= 3
        assert max(found[1]) > 100
        assert max(found[2]) > 100


def test_a_rendition_can_be_blackened_as_well() -> None:
    rendition = prepare(encoded(quarters()), LIMITS).renditions[0].data
    picture = large(blacken(rendition, (Box(0.5, 0.0, 1.0, 0.5),), LIMITS))
    assert_colours(picture, RED, (0, 0, 0), BLUE, WHITE)


@pytest.mark.parametrize(
    "box", [(0.5, 0, 0.5, 1), (0, 0, 1, 1.1), (-0.1, 0, 1, 1), (float("nan"), 0, 1, 1), (0.6, 0, 0.5, 1)]
)
def test_a_box_outside_the_picture_is_invalid(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(Invalid, match="boxes: must be left, top, right, bottom as fractions"):
        Box(*box)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc names the child")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_photo_is_unavailable_and_not_refused_if_a_signal_ends_its_child_process(number: int) -> None:
    """A service manager stops all processes of the server. The photo must be tried again."""
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.get_native_id).result()
        running = pool.submit(prepare, many_scans(), LIMITS)
        path = Path(f"/proc/self/task/{thread}/children")
        child = until(lambda: path.read_text().split(), "the child")
        os.kill(int(child[0]), number)
        with pytest.raises(Unavailable, match="cannot be prepared now"):
            running.result()
