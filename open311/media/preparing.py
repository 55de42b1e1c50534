"""Prepares photos in a child process, so that a hostile file can harm neither the server nor the reader of a page.

The child gets one line of JSON and then the photo. It answers with one line of JSON and then the JPEGs.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from open311.errors import Invalid, Unavailable
from open311.media.kinds import HEAD_BYTES, sniff
from open311.observe import logger
from open311.settings import Settings
from schemas.texts import tell

Reason = Literal["not_an_image", "too_many_pixels", "takes_too_long", "too_much_memory", "broken"]

SIZES = (("large", 2048), ("medium", 1024), ("small", 320))
"""The renditions, largest first, with the most pixels of their longer side. A smaller photo is never enlarged."""

DEADLINE_PER_CPU_S = 10
"""How many seconds a child may take for each second of its CPU time, because the machine may be busy."""

_FAULTS_OF_DECODERS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP}

log = logger(__name__)


class Unreadable(Exception):
    """The file cannot become a photo. The same file will fail again.

    reason  a stable word for the caller
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one photo may cost.

    pixels        the most pixels that the original may have: its width times its height
    cpu_s         the most seconds of CPU time that the child may use
    memory_bytes  the largest address space of the child; the interpreter and the libraries use about 60 MB of it
    """

    pixels: int
    cpu_s: int
    memory_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the operator has set."""
        return cls(
            pixels=settings.max_photo_pixels,
            cpu_s=settings.photo_cpu_s,
            memory_bytes=settings.photo_memory_bytes,
        )


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the upright picture. Each value is a fraction of the width or the height.

    Raises Invalid if the box is empty or reaches beyond the picture.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            message = tell("must be left, top, right, bottom as fractions of the picture: 0.1, 0.2, 0.5, 0.6.")
            raise Invalid(message, "boxes")


@dataclass(frozen=True, slots=True)
class Rendition:
    """A JPEG in sRGB without metadata.

    size  its name in SIZES
    """

    size: str
    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The renditions of a photo, largest first.

    content_hash  SHA-256 of the picture that was prepared, in hexadecimal digits; it never leaves the server
    """

    renditions: tuple[Rendition, ...]
    content_hash: str


def prepare(original: bytes, limits: Limits) -> Prepared:
    """Make the renditions of a photo. The same bytes always give the same renditions.

    Raises Unreadable for a file that cannot become a photo. Raises Unavailable if the child could not run to its
    end for another reason, such as a server that is being stopped; then try again later.
    """
    return blacken(original, (), limits)


def blacken(picture: bytes, boxes: tuple[Box, ...], limits: Limits) -> Prepared:
    """Make the renditions of a photo, or of a rendition, with black boxes in all of them. Raises like `prepare`."""
    kind = sniff(picture[:HEAD_BYTES])
    if kind is None:
        raise Unreadable("not_an_image")
    task = {
        "kind": kind.word,
        "sizes": SIZES,
        "boxes": [(box.left, box.top, box.right, box.bottom) for box in boxes],
        "pixels": limits.pixels,
        "memory_bytes": limits.memory_bytes,
        "cpu_s": limits.cpu_s,
        "deadline_s": limits.cpu_s * DEADLINE_PER_CPU_S,
    }
    renditions = _renditions(_ask_child(task, picture))
    return Prepared(renditions, sha256(picture).hexdigest())


def _ask_child(task: dict[str, Any], picture: bytes) -> bytes:
    """What a child writes about a picture. Raises Unreadable and Unavailable."""
    command = (sys.executable, "-I", "-m", "open311.media.child")
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(  # noqa: S603  # the command is fixed
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd="/", env={}
        )
    except OSError as error:
        raise _unavailable(type(error).__name__) from None
    with child:
        try:
            # The child ends itself by an alarm. The timeout here is for a child that has not set its alarm.
            answer, _ = child.communicate(_line(task) + picture, timeout=task["deadline_s"] + 5)
        except subprocess.TimeoutExpired:
            raise _unavailable("deadline") from None
        finally:
            child.kill()
    _check_end(child.returncode)
    return answer


def _check_end(code: int) -> None:
    """Raise Unreadable if the picture ended the child, and Unavailable if the child ended for another cause."""
    if code == 0:
        return
    if code == -signal.SIGXCPU:
        raise Unreadable("takes_too_long")
    if -code in _FAULTS_OF_DECODERS:
        log.warning("photo_decoder_crashed", signal=-code)
        raise Unreadable("broken")
    raise _unavailable(f"exit {code}")


def _unavailable(cause: str) -> Unavailable:
    log.warning("photo_not_prepared", cause=cause)
    return Unavailable(tell("The photo cannot be prepared now; try again later."))


def _line(task: dict[str, Any]) -> bytes:
    return json.dumps(task).encode() + b"\n"


def _renditions(answer: bytes) -> tuple[Rendition, ...]:
    """The renditions in the child's answer. Raises Unreadable if the answer has a reason instead."""
    line, _, rest = answer.partition(b"\n")
    facts = json.loads(line)
    if "reason" in facts:
        raise Unreadable(facts["reason"])
    renditions, start = [], 0
    for size, width, height, length in facts["renditions"]:
        renditions.append(Rendition(size, width, height, rest[start : start + length]))
        start += length
    return tuple(renditions)
