"""The process that decodes one photo: `python -I -m open311.media.child`. See `preparing.py` for its two messages.

It imports only the image library, so that it starts fast. It has limits of memory and CPU time, no environment, and
cannot write files. A fault of the image library ends this process and not the server.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any, cast

from PIL import Image
from PIL.ImageFile import ImageFile

QUALITY = 85
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn a picture upright, by its EXIF orientation."""


class TooManyPixels(Exception):
    """The header of the picture names more pixels than are allowed."""


def main() -> None:
    """Read a task and a picture from standard input, and write the answer to standard output.

    A library may print to standard output. Its text goes to standard error, which nobody reads.
    """
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    task = json.loads(sys.stdin.buffer.readline())
    limit_process(task["memory_bytes"], task["cpu_s"], task["deadline_s"])
    try:
        files = list(prepared(sys.stdin.buffer.read(), task))
        answer: dict[str, Any] = {"renditions": [[*facts, len(data)] for *facts, data in files]}
    except (TooManyPixels, Image.DecompressionBombError):
        files, answer = [], {"reason": "too_many_pixels"}
    except MemoryError:
        files, answer = [], {"reason": "too_much_memory"}
    except Exception as error:  # a decoder may raise anything when a file is hostile
        files, answer = [], {"reason": "too_much_memory" if "out of memory" in str(error) else "broken"}
    with output:
        output.write(json.dumps(answer).encode() + b"\n")
        for *_, data in files:
            output.write(data)


def limit_process(memory_bytes: int, cpu_s: int, deadline_s: int) -> None:
    """Limit this process. The alarm ends it even if the server that started it is gone.

    macOS has no limit of memory.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # SIGXCPU, and SIGKILL a second later
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    signal.alarm(deadline_s)


def prepared(original: bytes, task: dict[str, Any]) -> Iterator[tuple[str, int, int, bytes]]:
    """Name, width, height and JPEG of each size, beginning with the largest. Each is made from the one before."""
    picture = upright(original, task)
    for box in task["boxes"]:
        blacken(picture, box)
    for name, longest in task["sizes"]:
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        file = BytesIO()
        picture.save(file, "JPEG", quality=QUALITY, optimize=True)
        yield name, picture.width, picture.height, file.getvalue()


def upright(original: bytes, task: dict[str, Any]) -> Image.Image:
    """The picture in sRGB, upright and at most as large as the largest size. Nothing else of its file is kept.

    The size is checked before any pixel is decoded. A large JPEG is decoded at 1/2, 1/4 or 1/8 of its
    width and height.
    """
    Image.MAX_IMAGE_PIXELS = task["pixels"] // 2  # a plugin that checks by itself refuses twice this number
    opened = open_picture(original, task["kind"])
    if opened.width * opened.height > task["pixels"]:
        raise TooManyPixels
    longest = task["sizes"][0][1]
    opened.draft(None, (longest, longest))
    opened.load()
    turn, profile = _TURNS.get(orientation(opened)), opened.info.get("icc_profile")
    picture = scalable(opened)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    picture = in_srgb(on_white(picture), profile)
    picture = picture.transpose(turn) if turn is not None else picture
    picture.info.clear()  # Pillow would write a comment from here into the JPEG
    return picture


def open_picture(original: bytes, kind: str) -> ImageFile:
    """Read the header with the plugin of this kind and no other. Of an animation, only the first frame is used."""
    file = BytesIO(original)
    if kind == "jpeg":
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile(file)
    if kind == "png":
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(file)
    if kind == "webp":
        from PIL.WebPImagePlugin import WebPImageFile

        return WebPImageFile(file)
    import pillow_heif
    from pillow_heif.as_plugin import HeifImageFile

    pillow_heif.options.DECODE_THREADS = 1  # more threads need more memory
    pillow_heif.options.THUMBNAILS = pillow_heif.options.DEPTH_IMAGES = pillow_heif.options.AUX_IMAGES = False
    return cast("ImageFile", HeifImageFile(file))  # type: ignore[no-untyped-call]  # it has no types


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8. A faulty EXIF block counts as none, because many photos have one."""
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # Pillow raises many classes for a faulty block
        return 1


def scalable(picture: Image.Image) -> Image.Image:
    """The picture in a mode in which its size can be reduced: L, RGB, RGBA or CMYK."""
    if picture.has_transparency_data:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if picture.mode.startswith("I;16"):
        return picture.point(lambda value: value * (1 / 256)).convert("L")
    return picture if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")


def on_white(picture: Image.Image) -> Image.Image:
    """The picture without transparency, because a JPEG has none."""
    if picture.mode != "RGBA":
        return picture
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB. A profile that cannot be read, or is for other colours, counts as none."""
    if profile:
        from PIL import ImageCms

        spaces = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            if source.profile.xcolor_space.strip() == spaces[picture.mode]:
                target = ImageCms.createProfile("sRGB")
                changed = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
                return cast("Image.Image", changed)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return picture.convert("RGB")


def blacken(picture: Image.Image, box: list[float]) -> None:
    """Paint all pixels black that a box touches. Its left, top, right and bottom are fractions of the picture."""
    from PIL import ImageDraw

    left, top, right, bottom = box
    corner = (int(left * picture.width), int(top * picture.height))
    ImageDraw.Draw(picture).rectangle((corner, (right * picture.width, bottom * picture.height)), fill="black")


if __name__ == "__main__":
    main()
