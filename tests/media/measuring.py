"""`python -m tests.media.measuring` prepares photos of 12 megapixels, and prints what each kind costs."""

from __future__ import annotations

import resource
import subprocess
import sys

from PIL import Image, ImageChops, ImageFilter

from open311.media.preparing import Limits, prepare
from open311.settings import Settings
from tests.media.pictures import encoded

SIZE = (4000, 3000)
ROUNDS = 5


def photo() -> Image.Image:
    """Blurred noise over a gradient, so that a JPEG of it has about the size of a phone's photo."""
    noise = [Image.effect_noise(SIZE, 60).filter(ImageFilter.GaussianBlur(1.2)) for _ in range(3)]
    gradient = Image.linear_gradient("L").resize(SIZE)
    return Image.merge("RGB", [ImageChops.add(gradient, each, 2) for each in noise])


def measure(kind: str) -> str:
    """Megabytes of the file, CPU seconds of a child, and the peak of its memory in megabytes."""
    original = encoded(photo(), kind, quality=85)
    # The peak of a child would begin with the memory of this process, so another process starts the children.
    command = (sys.executable, "-c", "from tests.media.measuring import repeat; repeat()")
    facts = subprocess.run(command, input=original, capture_output=True, check=True).stdout.decode()
    return f"{kind:5} {len(original) / 1e6:5.1f} MB {facts}"


def repeat() -> None:
    """Prepare the photo on standard input several times, and write the cost of one time to standard output."""
    original = sys.stdin.buffer.read()
    for _ in range(ROUNDS):
        prepare(original, Limits.of(Settings()))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = (spent.ru_utime + spent.ru_stime) / ROUNDS
    sys.stdout.write(f"{cpu_s:.2f} s of CPU, {spent.ru_maxrss // 1024} MB\n")


if __name__ == "__main__":
    for each in ("JPEG", "PNG", "WEBP", "HEIC"):
        sys.stdout.write(measure(each))
